import { type Command, InvalidArgumentError } from 'commander';
import { CoppiceError } from '../errors.ts';

/** Tells the program what a command ended with. */
export type Done = (code: number) => void;

/** A command with what every command takes, and an example in its help. */
export function command(program: Command, name: string, description: string, example: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--json', 'one JSON document (JSON lines when following)')
    .option('--url <url>', 'the address of the gateway (default: the one that owns the state directory)')
    .option(
      '--token <token>',
      'its token (default: COPPICE_TOKEN, else the file `token` of the state directory)',
    )
    .option(
      '--state-dir <dir>',
      'the state directory (default: COPPICE_STATE_DIR, else ~/.local/state/coppice)',
    )
    .addHelpText('after', `\nExample:\n  ${example}\n`);
}

/** For what asks no gateway: how to reach one is taken, and not spoken of. */
export function withoutGateway(one: Command): Command {
  for (const option of one.options)
    if (/^--(url|token|state-dir)$/.test(option.long ?? '')) option.hideHelp();
  return one;
}

/**
 * A command that has commands of its own, and does `otherwise` when none of them is named. Options may stand before
 * and after the inner name, so inner actions read `optsWithGlobals()`.
 */
export function group(
  program: Command,
  name: string,
  description: string,
  example: string,
  otherwise: (options: object) => Promise<void>,
): Command {
  const outer = command(program, name, description, example)
    .argument('[command]')
    .usage('[command] [options]');
  return outer.action(async (inner: string | undefined, options: object) => {
    if (inner === undefined) return otherwise(options);
    const known = outer.commands.map((one) => one.name()).join(', ');
    throw new CoppiceError('USAGE', { reason: `there is no \`${name} ${inner}\`; there is ${known}` });
  });
}

/** A whole number from `min` to `max`, for an option. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

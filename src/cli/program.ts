import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CoppiceError } from '../errors.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';
import { packageVersion } from './version.ts';

/** What every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly token?: string;
  readonly stateDir?: string;
}

/** Parses `argv` and runs the one command it names. Resolves with its exit code; throws CoppiceError USAGE. */
export async function runProgram(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.ok;
  const program = createProgram(io, (result) => {
    code = result;
  });
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return EXIT.usage;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error);
  }
  return code;
}

function usageError(error: CommanderError): CoppiceError {
  const reason = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new CoppiceError('USAGE', { reason });
}

type Done = (code: number) => void;

/** Each command's module is loaded when it runs: starting costs what is used. */
function createProgram(io: Io, done: Done): Command {
  const program = new Command('coppice')
    .description('An always-on AI agent gateway under a supervision tree.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Thrown as well, and shown in our own words.
      outputError: () => {},
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  addRun(program, io, done);
  addTree(program, io, done);
  addStatus(program, io, done);
  addExplain(program, io, done);
  addStop(program, io, done);
  return program;
}

function command(program: Command, name: string, description: string, example: string): Command {
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

function addRun(program: Command, io: Io, done: Done): void {
  command(program, 'run', 'Run the gateway under its launcher.', 'coppice run --port 18789')
    .option('--port <port>', 'the port to listen on; 0: any free one', portNumber)
    .option('--bind <address>', 'loopback, lan, or an address of this machine')
    .option(
      '--config <file>',
      'the configuration file (default: COPPICE_CONFIG, else ~/.config/coppice/config.jsonc)',
    )
    .option('--foreground', 'stay in the foreground (coppice always does; accepted for service files)')
    .option(
      '--no-launcher',
      'without the launcher: for systemd, launchd and containers, which restart by themselves',
    )
    .action(async (options: object) => done(await (await import('./commands/run.ts')).run(io, options)));
}

function addTree(program: Command, io: Io, done: Done): void {
  command(program, 'tree', 'Show the live actor tree.', 'coppice tree gateway/core --watch')
    .argument('[path]', 'only this actor and what is below it')
    .option('--watch', 'redraw every second until Ctrl-C')
    .action(async (path: string | undefined, options: object) =>
      done(await (await import('./commands/tree.ts')).tree(io, path, options)),
    );
}

function addStatus(program: Command, io: Io, done: Done): void {
  command(
    program,
    'status',
    'Show how the gateway is; ends with 0 for ok, 1 for degraded, 2 for failing.',
    'coppice status --json',
  ).action(async (options: object) => done(await (await import('./commands/status.ts')).status(io, options)));
}

function addExplain(program: Command, io: Io, done: Done): void {
  command(
    program,
    'explain',
    'Say why an actor or a session is in its state, and what it waits for.',
    'coppice explain agent:main:main',
  )
    .argument('<path-or-session>', 'a path as `coppice tree` shows it, or a session key')
    .action(async (subject: string, options: object) =>
      done(await (await import('./commands/explain.ts')).explain(io, subject, options)),
    );
}

function addStop(program: Command, io: Io, done: Done): void {
  command(
    program,
    'stop',
    'Stop the gateway gracefully and wait until it is gone. Once more: a fast stop.',
    'coppice stop',
  ).action(async (options: object) => done(await (await import('./commands/stop.ts')).stop(io, options)));
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a whole number from 0 to 65535.');
  return port;
}

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CoppiceError } from '../errors.ts';
import { command, type Done, group } from './command.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';
import type { CommonOptions } from './options.ts';
import { addConfigCommands } from './program-config.ts';
import { addShowCommands } from './program-show.ts';
import { addTalkCommands } from './program-talk.ts';
import { addTreeCommands } from './program-tree.ts';
import { packageVersion } from './version.ts';

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

/** Each command's module is loaded when it runs: starting costs what is used. */
export function createProgram(io: Io, done: Done): Command {
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
  addModels(program, io, done);
  addTalkCommands(program, io, done);
  addTreeCommands(program, io, done);
  addConfigCommands(program, io, done);
  addShowCommands(program, io, done);
  return program;
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

function addModels(program: Command, io: Io, done: Done): void {
  const list = async (options: CommonOptions): Promise<void> =>
    done(await (await import('./commands/models.ts')).list(io, options));
  const about = 'List the models: which is asked first, which then, and how their providers are.';
  const models = group(program, 'models', about, 'coppice models ls', list);
  command(models, 'ls', about, 'coppice models ls --json').action((_options: object, self: Command) =>
    list(self.optsWithGlobals()),
  );
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a whole number from 0 to 65535.');
  return port;
}

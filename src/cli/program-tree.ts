import type { Command } from 'commander';
import { command, type Done } from './command.ts';
import type { Io } from './io.ts';

/** The levers on the tree: `kill`, `park`, `unpark`, `restart`. */
export function addTreeCommands(program: Command, io: Io, done: Done): void {
  addLevers(program, io, done);
  addRestart(program, io, done);
}

function addLevers(program: Command, io: Io, done: Done): void {
  const levers = [
    ['kill', 'Make one actor crash, and show what its supervisor makes of it.'],
    ['park', 'Stop one actor and hold it down until `unpark`.'],
    ['unpark', 'Bring a parked actor back.'],
  ] as const;
  for (const [name, description] of levers)
    command(program, name, description, `coppice ${name} gateway/core/work/lanes/main`)
      .argument('<path>', 'a path as `coppice tree` shows it')
      .action(async (path: string, options: object) =>
        done(await (await import('./commands/levers.ts'))[name](io, path, options)),
      );
}

function addRestart(program: Command, io: Io, done: Done): void {
  command(
    program,
    'restart',
    'Restart the gateway: drained, planned, and waited for.',
    'coppice restart --reason "new key"',
  )
    .option('--reason <text>', 'why; it stands in the log and is told to clients')
    .option('--force', 'without a cool-down and without waiting for turns to end')
    .action(async (options: object) =>
      done(await (await import('./commands/restart.ts')).restart(io, options)),
    );
}

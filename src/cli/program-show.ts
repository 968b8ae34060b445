import { type Command, Option } from 'commander';
import { command, type Done, group, wholeNumber, withoutGateway } from './command.ts';
import type { Io } from './io.ts';
import type { CommonOptions } from './options.ts';
import { addTestgen } from './program-testgen.ts';

/** What shows something: `events`, `machines`, `testgen`, `bench`, `demo`. */
export function addShowCommands(program: Command, io: Io, done: Done): void {
  addEvents(program, io, done);
  addMachines(program, io, done);
  addTestgen(program, io, done);
  addBench(program, io, done);
  addDemo(program, io, done);
}

function addEvents(program: Command, io: Io, done: Done): void {
  command(
    program,
    'events',
    'Show the last facts; with -f, those that come.',
    'coppice events -f --type "session.*,run.crashed"',
  )
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--type <types>', 'only these, separated by commas; a whole noun as "session.*"', list)
    .option('--path <path>', 'only this actor and what is below it')
    .option('--trace <id>', 'only this trace')
    .option('-n, --last <count>', 'how many of the last ones (default: 20)', wholeNumber(0, 1_000))
    .action(async (options: object) =>
      done(await (await import('./commands/events.ts')).events(io, options)),
    );
}

const list = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);

function addMachines(program: Command, io: Io, done: Done): void {
  const load = () => import('./commands/machines.ts');
  const names = async (options: CommonOptions): Promise<void> =>
    done(await (await load()).listAll(io, options));
  const machines = group(
    program,
    'machines',
    'Show the statecharts coppice runs on. Needs no gateway.',
    'coppice machines show session',
    names,
  );
  withoutGateway(machines);
  withoutGateway(command(machines, 'ls', 'List the machines.', 'coppice machines ls')).action(
    (_options: object, self: Command) => names(self.optsWithGlobals()),
  );
  withoutGateway(
    command(
      machines,
      'show',
      'Show the states, events and effects of one machine.',
      'coppice machines show session --json',
    ),
  )
    .argument('<name>', 'a machine, as `coppice machines ls` names it')
    .action(async (name: string, _options: object, self: Command) =>
      done(await (await load()).show(io, name, self.optsWithGlobals())),
    );
  const draw = command(
    machines,
    'diagram',
    'Draw one machine as a Mermaid state diagram.',
    [
      'coppice machines diagram session --out session.mmd',
      'coppice machines diagram run --out run.md',
      'coppice machines diagram gate --json',
      'coppice machines diagram --from ./door.ts --out door.md',
    ].join('\n  '),
  );
  withoutGateway(draw)
    .argument('[name]', 'a machine of coppice, as `coppice machines ls` names it')
    .option('--from <file>', 'a module of yours that exports a machine of XState 5 (.ts, .js, .mjs)')
    .option('--export <name>', 'which export (default: machine, else the only machine there is)')
    .option('--out <file>', 'write it there instead of showing it; *.md: as a page with the diagram in it')
    .action(async (name: string | undefined, _options: object, self: Command) =>
      done(await (await load()).draw(io, name, self.optsWithGlobals())),
    );
}

function addBench(program: Command, io: Io, done: Done): void {
  command(
    program,
    'bench',
    'Measure turns on this machine, beside the floor of the same run. Starts a gateway of its own.',
    'coppice bench --turns 500 --connections 8',
  )
    .option('--turns <count>', 'how many turns in all (default: 300)', wholeNumber(1, 100_000))
    .option('--connections <count>', 'how many clients talk at once (default: 4)', wholeNumber(1, 256))
    .addOption(new Option('--floor', 'be the floor').hideHelp())
    .action(async (options: object) => done(await (await import('./commands/bench.ts')).bench(io, options)));
}

function addDemo(program: Command, io: Io, done: Done): void {
  command(
    program,
    'demo',
    'Thirty seconds that explain everything: a chat, a crash, a kill -9, and the answer arriving once.',
    'coppice demo',
  )
    .option('--fast', 'without pauses for reading')
    .action(async (options: object) => done(await (await import('./commands/demo.ts')).demo(io, options)));
}

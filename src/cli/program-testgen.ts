import { type Command, Option } from 'commander';
import { command, type Done, wholeNumber, withoutGateway } from './command.ts';
import type { Io } from './io.ts';

/** As the kit and the renderer have them; repeated here so that starting `coppice` loads neither. */
const STRATEGIES = ['edges', 'pairs', 'shortest', 'simple', 'random'];
const FORMATS = ['vitest', 'node', 'json'];
const MOST = 10_000_000;

/** `coppice testgen`: tests from a machine, of ours or of the caller's. */
export function addTestgen(program: Command, io: Io, done: Done): void {
  const limit = (flag: string, what: string): Option =>
    new Option(`--${flag} <count>`, what).argParser(wholeNumber(1, MOST));
  const testgen = command(
    program,
    'testgen',
    'Write a test file from a machine: every path a test, replayed on a simulated clock. Needs no gateway.',
    [
      'coppice testgen session --out session.test.ts',
      'coppice testgen --from ./door.ts --out door.test.ts',
      'coppice testgen --from ./shop.ts --export cart --format node --out cart.test.mjs',
      'coppice testgen --from ./door.ts --out door.test.ts --check',
    ].join('\n  '),
  );
  withoutGateway(testgen)
    .argument('[machine]', 'a machine of coppice, as `coppice machines ls` names it')
    .option('--from <file>', 'a module of yours that exports a machine of XState 5 (.ts, .js, .mjs)')
    .option('--export <name>', 'which export (default: machine, else the only machine there is)')
    .addOption(new Option('--strategy <name>', 'how paths are chosen (default: edges)').choices(STRATEGIES))
    .option('--seed <number>', 'for random walks (default: 1)', wholeNumber(0, 4_294_967_295))
    .option('--walks <count>', 'how many, for --strategy random (default: 20)', wholeNumber(1, MOST))
    .option('--out <file>', 'write it there instead of showing it')
    .addOption(
      new Option('--format <name>', 'vitest, node (its own test runner) or json (default: by --out)').choices(
        FORMATS,
      ),
    )
    .option('--check', 'write nothing: say whether the file and the machine agree; ends with 1 when not')
    .option('--force', 'write over a file that was not generated')
    .addOption(limit('max-states', 'explore at most so many states (default: 10000)'))
    .addOption(limit('max-transitions', 'try at most so many transitions (default: 200000)'))
    .addOption(limit('max-paths', 'write at most so many paths (default: 1000)'))
    .addOption(limit('max-steps', 'write at most so many steps in all (default: 50000)'))
    .addOption(limit('path-steps', 'at most so many steps a path (default: 60)'))
    .action(async (machine: string | undefined, options: object) =>
      done(await (await import('./commands/testgen.ts')).testgen(io, machine, options)),
    );
}

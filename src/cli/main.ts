import { complaint, exitCodeOf } from './complain.ts';
import { type Io, processIo } from './io.ts';
import { runProgram } from './program.ts';

/** The command line. Resolves with the exit code; errors are on stderr by then. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  try {
    return await runProgram(argv, io);
  } catch (error) {
    io.stderr.write(`${complaint(error, argv.includes('--json'))}\n`);
    return exitCodeOf(error);
  }
}

import { complaint, exitCodeOf } from './complain.ts';
import { leaveForeignCode } from './foreign-code.ts';
import { type Io, processIo } from './io.ts';
import { runProgram } from './program.ts';

/** The command line. Resolves with the exit code; errors are on stderr by then. Without `io`, it is that of the process. */
export async function main(argv: readonly string[], io?: Io): Promise<number> {
  const code = await outcome(argv, io ?? processIo());
  if (io === undefined) leaveForeignCode(code);
  return code;
}

async function outcome(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await runProgram(argv, io);
  } catch (error) {
    io.stderr.write(`${complaint(error, argv.includes('--json'))}\n`);
    return exitCodeOf(error);
  }
}

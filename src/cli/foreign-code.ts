import { Console } from 'node:console';

let isExpected = false;

/** Before a module of the caller is loaded into this process: what it prints goes to stderr, for stdout is our answer. */
export function expectForeignCode(): void {
  isExpected = true;
  globalThis.console = new Console(process.stderr, process.stderr);
}

/** When the command is done: such a module may have started an actor, a timer or a server, and those never end. */
export function leaveForeignCode(code: number): void {
  if (isExpected) process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

import { expectForeignCode } from './foreign-code.ts';
import type { Terminal } from './render/screen.ts';

/** What a command writes to. Handed in, so that a test can read it. */
export interface Output extends Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What a command reads from. */
export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };

export interface Io {
  /** Absent: there is nothing to read. */
  readonly stdin?: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Called before a module of the caller is loaded. */
  readonly foreign?: () => void;
}

export function processIo(): Io {
  // `coppice tree | head` closes the pipe: nobody reads any more, so nothing is left to do or to report.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onStreamError);
  const { stdin, stdout, stderr, env } = process;
  return { stdin, stdout, stderr, env, foreign: expectForeignCode };
}

function onStreamError(error: NodeJS.ErrnoException): void {
  // EIO: the terminal was closed. A gateway lives on without one; a command ends when it is done.
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
}

/** One JSON document: indented for a person, in one line for a program. */
export function writeJson(output: Output, document: unknown): void {
  output.write(`${JSON.stringify(document, null, output.isTTY ? 2 : undefined)}\n`);
}

export function writeLines(output: Output, lines: readonly string[]): void {
  output.write(`${lines.join('\n')}\n`);
}

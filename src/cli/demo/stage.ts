import { setTimeout as delay } from 'node:timers/promises';
import type { TreeNode } from '../../supervisor/registry.ts';
import type { Io } from '../io.ts';
import { Answer } from '../render/answer.ts';
import { paintFor } from '../render/style.ts';
import { renderTree } from '../render/tree.ts';

/** Where the demonstration is shown. Nothing on it is evidence. */
export interface Stage {
  /** What happens next, and a moment to read it. */
  say(line: string): Promise<void>;
  note(line: string): void;
  user(message: string): void;
  answer(): Answer;
  tree(node: TreeNode): Promise<void>;
  /** One result, as the record has it. */
  result(ok: boolean, line: string): void;
}

const READING_MS = 1_200;

export function createStage(io: Io, { silent, pauses }: { silent: boolean; pauses: boolean }): Stage {
  const paint = paintFor(io.stdout, io.env);
  const write = (text: string): void => void (silent || io.stdout.write(text));
  const read = async (): Promise<void> => void (pauses && (await delay(READING_MS)));
  const width = (io.stdout.isTTY ? io.stdout.columns : undefined) ?? 100;
  return {
    async say(line) {
      write(`\n${paint('bold', line)}\n`);
      await read();
    },
    note: (line) => write(`${paint('dim', line)}\n`),
    user: (message) => write(`${paint('cyan', 'you')} > ${message}\n`),
    answer: () => new Answer({ terminal: true, write, note: (line) => write(`${paint('yellow', line)}\n`) }),
    async tree(node) {
      write(`${renderTree(node, { paint, width }).join('\n')}\n`);
      await read();
    },
    result: (ok, line) => write(`${ok ? paint('green', '  yes') : paint('red', '   NO')}  ${line}\n`),
  };
}

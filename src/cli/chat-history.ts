import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Lines that are kept. */
export const HISTORY_LINES = 500;

const file = (dir: string): string => join(dir, 'chat-history');

/** What was typed in earlier conversations, newest first, as readline wants it. None, when it cannot be read. */
export function readHistory(dir: string): string[] {
  try {
    return readFileSync(file(dir), 'utf8').split('\n').filter(Boolean).toReversed().slice(0, HISTORY_LINES);
  } catch {
    // The first conversation, or a directory of somebody else: there is nothing to go back to.
    return [];
  }
}

/** Newest first. For the owner alone: it holds what was said. Throws what the file system says. */
export function writeHistory(dir: string, lines: readonly string[]): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const draft = `${file(dir)}.${process.pid}`;
  const text = lines.slice(0, HISTORY_LINES).toReversed().join('\n');
  writeFileSync(draft, `${text}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file(dir));
}

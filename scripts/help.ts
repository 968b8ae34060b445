import { readFileSync } from 'node:fs';

/** `--help` of a script answers with the comment at the head of its file, and ends it with 0 before it does anything. */
export function answerHelp(file: string): void {
  if (!process.argv.includes('--help') && !process.argv.includes('-h')) return;
  const [, comment = ''] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(file, 'utf8')) ?? [];
  process.stdout.write(`${comment.replaceAll(/^ ?\* ?/gm, '').trim()}\n`);
  process.exit();
}

/** Pages that show a file of this tree word for word: the block after the mark is replaced by what the file says now. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const BLOCK = /(<!-- Copied from (\S+) by `npm run docs`\. -->\n+```\w+\n)[\s\S]*?(\n```\n)/g;

/** Fails with ENOENT when the page names a file that is not there. */
export const withCopies = (page: string, readFile = read): string =>
  page.replaceAll(
    BLOCK,
    (_, head: string, path: string, tail: string) => head + readFile(path).trimEnd() + tail,
  );

/** The files a page shows. */
export const copiesOf = (page: string): string[] => [...page.matchAll(BLOCK)].map(([, , path]) => path!);

/** Every page of docs/ that shows one. */
export function pagesWithCopies(): Record<string, () => string> {
  const pages = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  const shown = pages.map((name) => `docs/${name}`).filter((path) => copiesOf(read(path)).length > 0);
  return Object.fromEntries(shown.map((path) => [path, () => withCopies(read(path))]));
}

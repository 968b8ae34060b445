import { existsSync } from 'node:fs';

/** Where `coppice` and `coppice/machines`, as a user imports them, stand in this tree. Undefined for anything else. */
export function sourceOf(specifier: string): URL | undefined {
  const match = /^coppice(?:\/([a-z-]+))?$/.exec(specifier);
  if (!match) return undefined;
  const [, room] = match;
  const file = new URL(room === undefined ? '../src/index.ts' : `../src/${room}/index.ts`, import.meta.url);
  return existsSync(file) ? file : undefined;
}

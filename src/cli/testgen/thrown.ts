import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file and a line in a stack, as a path or as an address. */
const PLACES = /(?<=[\s(]|^|file:\/\/)(\/[^\s():]+:\d+)/g;
const OWN = fileURLToPath(new URL('../..', import.meta.url));

/** What code of the caller threw, with the place in the caller's files if the stack names one. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const place = placeOf(thrown);
  return place === undefined ? thrown.message : `${thrown.message} (${place})`;
}

/** Relative to where the command runs. Undefined: no file of the caller's has to do with it, or none is named. */
export function placeOf({ message, stack = '' }: Error): string | undefined {
  const places = [...stack.replace(message, '').matchAll(PLACES)].map(([, place]) => place!);
  const place = places.find((one) => !one.includes('/node_modules/') && !one.startsWith(OWN));
  return place && relative(process.cwd(), place.replaceAll('%20', ' '));
}

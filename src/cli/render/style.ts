import { styleText } from 'node:util';

export type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold' | 'cyan';
export type Paint = (colour: Colour, text: string) => string;

export const plain: Paint = (_colour, text) => text;
const coloured: Paint = (colour, text) => styleText(colour, text, { validateStream: false });

/** Colour only on a terminal, and never where NO_COLOR is set to anything (no-color.org) or the terminal is dumb. */
export function paintFor(stream: { readonly isTTY?: boolean }, env: Readonly<NodeJS.ProcessEnv>): Paint {
  return stream.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb' ? coloured : plain;
}

import { CoppiceError } from '../errors.ts';

/** The first thing wrong with a spec: which field, what it holds, what it should. */
export interface SpecFault {
  readonly field: string;
  readonly value: unknown;
  readonly expected: string;
}

const CHARS = 200;
const cut = (text: string): string => (text.length > CHARS ? `${text.slice(0, CHARS)}…` : text);

/** SPEC_INVALID, short whatever the spec holds. */
export const specInvalid = ({ field, value, expected }: SpecFault): CoppiceError =>
  new CoppiceError('SPEC_INVALID', { field: cut(field), value: showValue(value), expected });

function showValue(value: unknown): string {
  return typeof value === 'object' && value ? 'an object' : cut(String(value));
}

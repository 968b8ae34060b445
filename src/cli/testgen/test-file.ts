import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CoppiceError, normalizeError } from '../../errors.ts';
import type { Made } from './made.ts';
import { MARK } from './regenerate.ts';
import { jsonFile } from './render-json.ts';
import { testFile } from './render-test.ts';
import type { Place } from './header.ts';

/** The text of the file. */
export const textOf = (made: Made, place: Place): string =>
  place.format === 'json' ? jsonFile(made, place) : testFile(made, place);

/** What is in a file. Undefined: there is no such file. Throws FILE_UNREADABLE. */
export function existing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = normalizeError(cause);
    if (code === 'ENOENT') return undefined;
    throw new CoppiceError('TESTGEN_FILE_UNREADABLE', { file, reason: code ?? 'it failed' }, { cause });
  }
}

/** Throws TESTGEN_FILE_FOREIGN for a file that is there and was not generated. */
export function refuseForeign(file: string): void {
  const text = existing(file);
  if (text !== undefined && !text.slice(0, 2_000).includes(MARK))
    throw new CoppiceError('TESTGEN_FILE_FOREIGN', { file });
}

/** All of it or nothing: written beside its place, then moved there. Throws FILE_UNWRITABLE. */
export function writeWhole(file: string, text: string): void {
  const beside = join(dirname(file), `.${basename(file)}.${process.pid}.tmp`);
  try {
    writeFileSync(beside, text, { flush: true });
    renameSync(beside, file);
  } catch (cause) {
    rmSync(beside, { force: true });
    const reason = normalizeError(cause).code ?? 'it failed';
    throw new CoppiceError('FILE_UNWRITABLE', { file, reason }, { cause });
  }
}

import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  openSync,
  closeSync,
  fsyncSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { applyEdits, findNodeAtLocation, modify, parseTree } from 'jsonc-parser';
import { CoppiceError, normalizeError } from '../errors.ts';
import { parseConfigText } from './file.ts';
import { typedKeys } from './key-path.ts';
import { loadConfig } from './load.ts';
import type { LoadedConfig, LoadOptions } from './load.ts';
import { configInvalid, problemLines } from './problem.ts';
import type { Problem } from './problem.ts';
import { at, typeOf } from './schema-keys.ts';
import { removeEntry } from './removal.ts';
import { configSchema } from './schema.ts';

/** `value` undefined: the key is taken out. */
export interface Edit {
  readonly keys: readonly string[];
  readonly value: unknown;
}

export interface Edited {
  readonly text: string;
  /** The configuration as it would be; undefined while mistakes are left that were there before. */
  readonly loaded: LoadedConfig | undefined;
  readonly remaining: readonly Problem[];
}

/** JSON where it is JSON, else the bare text; text where the key takes nothing else. */
export function parseValue(text: string, keys: readonly string[]): unknown {
  const schema = at(configSchema, keys);
  const value = asJson(text);
  const takesText = schema !== undefined && ['string', 'enum'].includes(typeOf(schema));
  return takesText && typeof value !== 'string' ? text : value;
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // No JSON: then it is what it looks like.
    return text;
  }
}

/**
 * The text after the edit, comments and formatting kept. Throws CONFIG_INVALID when the text is no JSON, and
 * CONFIG_REFUSED when the edit does not fit or would bring a mistake that was not there before.
 */
export function editConfig(
  text: string,
  edit: Edit,
  options: LoadOptions & { readonly path: string },
): Edited {
  const before = parseConfigText(options.path, text);
  if (before.broken) throw configInvalid(before.problems);
  const next = editText(text, edit);
  const found = problemsOf({ ...options, text: next });
  if ('loaded' in found) return { text: next, loaded: found.loaded, remaining: [] };
  const known = new Set(problemsBefore({ ...options, text }).map(identity));
  const fresh = found.problems.filter((problem) => !known.has(identity(problem)));
  if (fresh.length > 0) throw refused(edit, problemLines(fresh));
  return { text: next, loaded: undefined, remaining: found.problems };
}

const identity = ({ path, message }: Problem): string => `${path}: ${message}`;

function problemsBefore(options: LoadOptions): readonly Problem[] {
  const found = problemsOf(options);
  return 'problems' in found ? found.problems : [];
}

function problemsOf(options: LoadOptions): { loaded: LoadedConfig } | { problems: readonly Problem[] } {
  try {
    return { loaded: loadConfig(options) };
  } catch (error) {
    if (!(error instanceof CoppiceError) || error.code !== 'CONFIG_INVALID') throw error;
    return { problems: error.details['list'] as readonly Problem[] };
  }
}

const refused = ({ keys }: Edit, reason: string): CoppiceError =>
  new CoppiceError('CONFIG_REFUSED', { path: keys.join('.'), reason });

function editText(text: string, edit: Edit): string {
  const given = text.trim() === '' ? '{}\n' : text;
  const keys = typedKeys(edit.keys);
  const base = parseTree(given) ? given : `${given.trimEnd()}\n{}\n`;
  standsInTheWay(base, keys, edit);
  if (edit.value === undefined) return removeEntry(base, keys);
  // Formatting touches the whole line around the edit: only where new lines have to be made.
  const root = parseTree(base);
  const there = root !== undefined && findNodeAtLocation(root, keys) !== undefined;
  const plain = there && (typeof edit.value !== 'object' || edit.value === null);
  const options = plain ? {} : { formattingOptions: formattingOf(base) };
  const edits = modify(base, keys, edit.value, options);
  return applyEdits(base, edits);
}

/** jsonc-parser would throw, or overwrite, where a value stands in place of an object. */
function standsInTheWay(text: string, keys: readonly (string | number)[], edit: Edit): void {
  const root = parseTree(text);
  if (!root) return;
  for (let depth = 0; depth < keys.length; depth += 1) {
    const node = depth === 0 ? root : findNodeAtLocation(root, keys.slice(0, depth));
    if (!node) return;
    const wanted = typeof keys[depth] === 'number' ? 'array' : 'object';
    if (node.type === wanted) continue;
    const above = edit.keys.slice(0, depth).join('.');
    throw refused(edit, `  ${above} is no ${wanted} in the file; set or unset ${above} itself`);
  }
}

/** As the file does it. */
function formattingOf(text: string): { insertSpaces: boolean; tabSize: number; eol: string } {
  const indent = /\n([ \t]+)\S/.exec(text)?.[1] ?? '  ';
  return {
    insertSpaces: !indent.startsWith('\t'),
    tabSize: indent.startsWith('\t') ? 1 : indent.length,
    eol: text.includes('\r\n') ? '\r\n' : '\n',
  };
}

/** The file's text; empty when there is none. Throws CONFIG_INVALID when it cannot be read. */
export function readConfigText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = normalizeError(error);
    if (code === 'ENOENT') return '';
    throw configInvalid([{ where: path, path: '', message: `it cannot be read: ${message}` }]);
  }
}

/**
 * Replaces the file in one step, 0600, the text before beside it as `.bak`. `before` guards against another editor:
 * throws CONFIG_CHANGED when the file says something else by now, CONFIG_UNWRITABLE when it cannot be written.
 */
export function writeConfigText(
  path: string,
  text: string,
  before: string,
): { readonly backup: string | undefined } {
  if (readConfigText(path) !== before) throw new CoppiceError('CONFIG_CHANGED', { file: path });
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return replace(before === '' ? path : realpathSync(path), text, before);
  } catch (error) {
    const { message } = normalizeError(error);
    throw new CoppiceError('CONFIG_UNWRITABLE', { file: path, reason: message }, { cause: error });
  }
}

function replace(path: string, text: string, before: string): { readonly backup: string | undefined } {
  const backup = before === '' ? undefined : `${path}.bak`;
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    if (backup) {
      copyFileSync(path, draft);
      chmodSync(draft, 0o600);
      renameSync(draft, backup);
    }
    writeFileSync(draft, text, { mode: 0o600, flush: true });
    chmodSync(draft, 0o600);
    renameSync(draft, path);
    syncFolder(dirname(path));
  } finally {
    rmSync(draft, { force: true });
  }
  return { backup };
}

/** The new name is on disk too. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

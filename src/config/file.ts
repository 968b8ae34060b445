import { readFileSync } from 'node:fs';
import { parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Node, ParseError } from 'jsonc-parser';
import { normalizeError } from '../errors.ts';
import type { Problem } from './problem.ts';
import type { Raw } from './raw.ts';

export interface ConfigFile {
  readonly path: string;
  /** Undefined: there is no such file. */
  readonly text: string | undefined;
  readonly raw: Raw;
  readonly problems: readonly Problem[];
  /** `path:line:column` of a key, or of the nearest one above it. */
  where(path: readonly PropertyKey[]): string;
}

/** Reads JSON with comments and trailing commas. Never throws: what is wrong is in `problems`. */
export function readConfigFile(path: string): ConfigFile {
  let text: string | undefined;
  try {
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const { code, message } = normalizeError(error);
    const problems =
      code === 'ENOENT' || code === 'ENOTDIR'
        ? []
        : [{ where: path, path: '', message: `it cannot be read: ${message}` }];
    return { path, text: undefined, raw: {}, problems, where: () => path };
  }
  return parseConfigText(path, text);
}

export function parseConfigText(path: string, text: string): ConfigFile {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const place = (offset: number): string => `${path}:${lineAndColumn(text, offset)}`;
  const problems: Problem[] = errors.map((error) => ({
    where: place(error.offset),
    path: '',
    message: printParseErrorCode(error.error),
  }));
  const complain = (node: Node, message: string): void =>
    void problems.push({ where: place(node.offset), path: '', message });
  const empty = text.trim() === '';
  if (root && root.type !== 'object') complain(root, 'the file must hold one object: { ... }');
  const raw = root?.type === 'object' ? (toValue(root, complain) as Raw) : {};
  return {
    path,
    text,
    raw,
    problems: empty ? [] : problems,
    where: (keys) => (root ? place(nearestNode(root, keys).offset) : path),
  };
}

/** Like jsonc-parser's own, but a key that stands twice is a mistake worth telling, and `__proto__` never becomes one. */
function toValue(node: Node, complain: (node: Node, message: string) => void): unknown {
  if (node.type === 'array') return (node.children ?? []).map((child) => toValue(child, complain));
  if (node.type !== 'object') return node.value;
  const entries = new Map<string, unknown>();
  for (const property of node.children ?? []) {
    const [key, value] = property.children ?? [];
    const name = String(key?.value);
    if (entries.has(name)) complain(property, `"${name}" stands here a second time`);
    if (name === '__proto__') {
      complain(property, 'unknown key "__proto__"');
      continue;
    }
    entries.set(name, value ? toValue(value, complain) : undefined);
  }
  return Object.fromEntries(entries);
}

function nearestNode(root: Node, keys: readonly PropertyKey[]): Node {
  let node = root;
  let shown = root;
  for (const key of keys) {
    const property = node.children?.find((child) => child.children?.[0]?.value === key);
    const next = node.type === 'array' ? node.children?.[Number(key)] : property?.children?.[1];
    if (!next) break;
    shown = property ?? next;
    node = next;
  }
  return shown;
}

function lineAndColumn(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n');
  return `${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`;
}

import { readFileSync } from 'node:fs';
import { parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Node, ParseError } from 'jsonc-parser';
import { normalizeError } from '../errors.ts';
import { createExcerpts } from './excerpt.ts';
import type { Problem } from './problem.ts';
import type { Raw } from './raw.ts';
import { mayShow } from './secrets.ts';
import { syntaxMessage } from './syntax.ts';

export interface ConfigFile {
  readonly path: string;
  /** Undefined: there is no such file. */
  readonly text: string | undefined;
  readonly raw: Raw;
  readonly problems: readonly Problem[];
  /** The text is no JSON, so `raw` is what could be made out. */
  readonly broken: boolean;
  /** `path:line:column` of a key, or of the nearest one above it. */
  where(path: readonly PropertyKey[]): string;
  /** The line of that key with a mark below it (the key alone, or with its value), secrets masked. */
  excerpt(path: readonly PropertyKey[], mark: 'key' | 'entry'): string | undefined;
}

/** More than these are mostly echoes of the first. */
const SYNTAX_PROBLEMS = 5;

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
    const nowhere = { where: () => path, excerpt: () => undefined };
    return { path, text: undefined, raw: {}, problems, broken: false, ...nowhere };
  }
  return parseConfigText(path, text);
}

export function parseConfigText(path: string, text: string): ConfigFile {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const place = (offset: number): string => `${path}:${lineAndColumn(text, offset)}`;
  const excerpts = createExcerpts(text, mayShow);
  const problemAt = (offset: number, length: number, message: string): Problem => ({
    where: place(offset),
    path: '',
    message,
    source: excerpts({ offset, length }),
  });
  const problems = firstOfEachLine(errors, text)
    .slice(0, SYNTAX_PROBLEMS)
    .map(({ error, offset, length }) => problemAt(offset, length, syntaxMessage(error)));
  const complain: Complain = ({ offset, length }, message) =>
    void problems.push(problemAt(offset, length, message));
  const empty = text.trim() === '' || onlyComments(errors, root);
  if (root && root.type !== 'object') complain(root, 'the file must hold one object: { ... }');
  const raw = root?.type === 'object' ? (toValue(root, complain) as Raw) : {};
  return {
    path,
    text,
    raw,
    problems: empty ? [] : problems,
    broken: !empty && errors.length > 0,
    where: (keys) => (root ? place(nearestNode(root, keys).offset) : path),
    excerpt: (keys, mark) => {
      const node = root && nearestNode(root, keys);
      return node && excerpts(mark === 'key' ? (node.children?.[0] ?? node) : node);
    },
  };
}

type Complain = (node: Pick<Node, 'offset' | 'length'>, message: string) => void;

/** Nothing but comments: as good as an empty file. */
const onlyComments = (errors: readonly ParseError[], root: Node | undefined): boolean =>
  root === undefined && errors.every(({ error }) => printParseErrorCode(error) === 'ValueExpected');

function firstOfEachLine(errors: readonly ParseError[], text: string): ParseError[] {
  const line = ({ offset }: ParseError): number => text.slice(0, offset).split('\n').length;
  return errors.filter((error, index) => errors.findIndex((other) => line(other) === line(error)) === index);
}

/** Like jsonc-parser's own, but a key that stands twice is a mistake worth telling, and `__proto__` never becomes one. */
function toValue(node: Node, complain: Complain): unknown {
  if (node.type === 'array') return (node.children ?? []).map((child) => toValue(child, complain));
  if (node.type !== 'object') return node.value;
  const entries = new Map<string, unknown>();
  for (const property of node.children ?? []) {
    const [key, value] = property.children ?? [];
    const name = String(key?.value);
    if (entries.has(name)) complain(property, `"${name}" stands here a second time; delete one of the two`);
    if (name === '__proto__') {
      complain(property, 'unknown key "__proto__"; delete it');
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

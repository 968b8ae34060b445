/** What one part of a pattern becomes in the nth attempt: the 0th is the shortest. */
type Part = (nth: number) => string;

const CLASSES: Readonly<Record<string, string>> = {
  d: '0123456789',
  w: 'aB3_',
  s: ' ',
  D: 'a-',
  W: '-',
  S: 'a1',
  t: '\t',
  n: '\n',
  r: '\r',
};
const ANY = 'aB3-_. ,:;!?#@/+=&%$~*^|<>(){}[]"\'';
const ATTEMPTS = 6;

/**
 * A few texts that a regular expression may accept, the shortest first. It reads what schemas are made of (sequences,
 * classes, groups, alternatives, repetitions) and skips what only looks around, so each is to be tried.
 */
export function sampled(source: string): readonly string[] {
  const reader = { source, at: 0 };
  const part = alternatives(reader);
  return [...new Set(Array.from({ length: ATTEMPTS }, (_, nth) => part(nth)))];
}

interface Reader {
  readonly source: string;
  at: number;
}

const peek = ({ source, at }: Reader): string => source[at] ?? '';

function take(reader: Reader, pattern: RegExp): RegExpExecArray | undefined {
  const found = new RegExp(pattern, 'uy');
  found.lastIndex = reader.at;
  const match = found.exec(reader.source) ?? undefined;
  if (match) reader.at += match[0].length;
  return match;
}

function alternatives(reader: Reader): Part {
  const all = [sequence(reader)];
  while (take(reader, /\|/)) all.push(sequence(reader));
  return (nth) => all[nth % all.length]!(Math.floor(nth / all.length));
}

function sequence(reader: Reader): Part {
  const parts: Part[] = [];
  while (reader.at < reader.source.length && !/[|)]/.test(peek(reader))) {
    const part = atom(reader);
    parts.push(repeated(reader, part));
  }
  return (nth) => parts.map((part) => part(nth)).join('');
}

function repeated(reader: Reader, part: Part): Part {
  const found = take(reader, /(?:([*+?])|\{(\d+)(,)?(\d+)?\})[?+]?/);
  if (!found) return part;
  const [, sign, low, comma, high] = found;
  const least = sign === '+' ? 1 : Number(low ?? 0);
  const most = sign === '?' ? 1 : (high ?? (low === undefined || comma ? least + ATTEMPTS : low));
  return (nth) => {
    const times = Math.min(Number(most), least + nth, 300);
    return Array.from({ length: times }, (_, index) => part(nth + index)).join('');
  };
}

function atom(reader: Reader): Part {
  if (take(reader, /\^|\$|\\[bB]/)) return () => '';
  const group = take(reader, /\((\?(?:[:=!]|<[=!]|<\w+>))?/);
  if (group) {
    const inner = alternatives(reader);
    take(reader, /\)/);
    return /^\?<?[=!]/.test(group[1] ?? '') ? () => '' : inner;
  }
  if (take(reader, /\[/)) return among(classOf(reader));
  if (take(reader, /\./)) return among(ANY);
  return among(escaped(reader) ?? taken(reader));
}

const among =
  (letters: string): Part =>
  (nth) =>
    letters[nth % letters.length] ?? '';

const taken = (reader: Reader): string => take(reader, /./s)?.[0] ?? '';

/** The letters an escape stands for. */
function escaped(reader: Reader): string | undefined {
  const code = take(reader, /\\(?:u\{([0-9a-f]+)\}|u([0-9a-f]{4})|x([0-9a-f]{2}))/i);
  if (code) return String.fromCodePoint(Number.parseInt(code[1] ?? code[2] ?? code[3]!, 16));
  if (take(reader, /\\p\{[^}]*\}/i)) return 'aA1';
  const plain = take(reader, /\\(.)/s)?.[1];
  return plain === undefined ? undefined : (CLASSES[plain] ?? plain);
}

/** The letters of `[...]`; of what it excludes, those of a fixed list that are left. */
function classOf(reader: Reader): string {
  const isNegated = take(reader, /\^/) !== undefined;
  let letters = '';
  while (reader.at < reader.source.length && !take(reader, /\]/)) {
    const first = escaped(reader) ?? taken(reader);
    const last = take(reader, /-(?!\])/) ? (escaped(reader) ?? taken(reader)) : undefined;
    letters += last === undefined ? first : between(first, last);
  }
  return isNegated ? [...ANY].filter((letter) => !letters.includes(letter)).join('') : letters;
}

/** Some of a range: its ends, and what is next to them. */
function between(first: string, last: string): string {
  const [low, high] = [first.codePointAt(0) ?? 0, last.codePointAt(0) ?? 0];
  const some = [low, high, low + 1, high - 1].filter((code) => code >= low && code <= high);
  return [...new Set(some)].map((code) => String.fromCodePoint(code)).join('');
}

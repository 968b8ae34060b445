/** A word, a number, a text or a sign of JavaScript; `text` of a text is what it means, whatever its quotes. */
export interface Token {
  readonly kind: 'word' | 'text' | 'sign';
  readonly text: string;
}

const PARTS =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)|(?<word>[\w$.]+)|(?<sign>=>|[^\s\w])/g;

/**
 * What is left of a source when its formatting is gone: no spaces, comments, semicolons, commas before a bracket, quotes
 * around keys, brackets around a single parameter. Two files with the same tokens say the same.
 */
export function tokensOf(source: string): Token[] {
  const found: Token[] = [];
  for (const { groups = {} } of source.matchAll(PARTS)) {
    const token = tokenOf(groups);
    if (!token || (token.kind === 'sign' && token.text === ';')) continue;
    if (token.kind === 'sign' && /^[)\]}]$/.test(token.text) && isComma(found.at(-1))) found.pop();
    if (token.kind === 'sign' && token.text === ':') asKey(found);
    found.push(token);
  }
  return found;
}

function tokenOf({ text, word, sign }: Readonly<Record<string, string | undefined>>): Token | undefined {
  if (text !== undefined) return { kind: 'text', text: unquoted(text) };
  if (word !== undefined) return { kind: 'word', text: word };
  return sign === undefined ? undefined : { kind: 'sign', text: sign };
}

const isComma = (token: Token | undefined): boolean => token?.kind === 'sign' && token.text === ',';

/** A key is a word, with quotes or without. */
function asKey(found: Token[]): void {
  const key = found.pop();
  if (key) found.push(key.kind === 'text' ? { kind: 'word', text: key.text } : key);
}

function unquoted(text: string): string {
  const inner = text.slice(1, -1).replace(/\\(['`])/g, '$1');
  if (text.startsWith('`')) return inner;
  const escaped = inner.replaceAll(/(?<!\\)((?:\\\\)*)"/g, String.raw`$1\"`);
  try {
    return JSON.parse(`"${escaped}"`) as string;
  } catch (error) {
    if (error instanceof SyntaxError) return inner;
    throw error;
  }
}

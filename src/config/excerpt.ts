import { visit } from 'jsonc-parser';

/** A stretch of the file's text. Characters. */
interface Span {
  readonly offset: number;
  readonly length: number;
}

/** May this literal be shown to whoever reads the terminal, a log, a bug report? */
export type MayShow = (path: readonly PropertyKey[], value: unknown) => boolean;

const WIDTH = 100;
const MASK = '***';

/**
 * The line in question with a mark below it, as compilers do. Only what is known to be harmless is shown: keys,
 * punctuation, and the literals `mayShow` lets pass. Everything else may be a secret or a part of one.
 */
export function createExcerpts(text: string, mayShow: MayShow): (span: Span) => string {
  let harmless: readonly boolean[] | undefined;
  return (span) => {
    harmless ??= harmlessCharacters(text, mayShow);
    return draw(text, span, harmless);
  };
}

function harmlessCharacters(text: string, mayShow: MayShow): readonly boolean[] {
  const harmless = Array.from({ length: text.length }, (_, at) => /\s/.test(text[at] ?? ''));
  const show = (offset: number, length: number): void => void harmless.fill(true, offset, offset + length);
  visit(
    text,
    {
      onObjectBegin: show,
      onObjectEnd: show,
      onArrayBegin: show,
      onArrayEnd: show,
      onSeparator: (_character, offset, length) => show(offset, length),
      onObjectProperty: (_name, offset, length) => show(offset, length),
      onLiteralValue(value, offset, length, _line, _character, pathOf) {
        if (typeof value !== 'string' || mayShow(pathOf(), value)) show(offset, length);
      },
    },
    { allowTrailingComma: true, disallowComments: false },
  );
  return harmless;
}

function draw(text: string, { offset, length }: Span, harmless: readonly boolean[]): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const newline = text.indexOf('\n', offset);
  const end = newline < 0 ? text.length : newline;
  const marked = { from: offset, to: Math.max(offset + 1, Math.min(offset + length, end)) };
  let shown = '';
  let mark = '';
  for (let at = start; at < end; at += 1) {
    const hidden = !harmless[at];
    // A hidden stretch becomes one mask of one length, so that not even its size is told.
    if (hidden && at > start && !harmless[at - 1]) continue;
    const drawn = hidden ? MASK : text[at] === '\t' ? ' ' : (text[at] ?? '').replace('\r', '');
    const inside = at >= marked.from && at < marked.to;
    shown += drawn;
    mark += (inside ? '^' : ' ').repeat(drawn.length);
  }
  if (!mark.includes('^')) mark = `${' '.repeat(shown.length)}^`;
  return framed(String(text.slice(0, offset).split('\n').length), shown, mark);
}

/** With its number, cut to a width around the mark. */
function framed(number: string, shown: string, mark: string): string {
  const first = mark.indexOf('^');
  const from = first > WIDTH - 20 ? first - 20 : 0;
  const cut = (line: string): string => line.slice(from, from + WIDTH).trimEnd();
  const more = from > 0 ? '…' : '';
  const margin = ' '.repeat(number.length);
  return `${number} | ${more}${cut(shown)}\n${margin} | ${more && ' '}${cut(mark)}`;
}

import { applyEdits, findNodeAtLocation, parseTree } from 'jsonc-parser';
import type { Node } from 'jsonc-parser';

/** Characters, `end` not included. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * The text without one entry. jsonc-parser's own removal takes along every comment up to the next entry; this one
 * takes the entry, its comma, and lines that would be left empty.
 */
export function removeEntry(text: string, keys: readonly (string | number)[]): string {
  const root = parseTree(text);
  const value = root && findNodeAtLocation(root, [...keys]);
  if (!value) return text;
  const node = value.parent?.type === 'property' ? value.parent : value;
  const ranges = joined(text, entryOf(node), commaOf(text, node));
  const edits = ranges.map(({ start, end }) => ({ offset: start, length: end - start, content: '' }));
  return applyEdits(text, edits);
}

const entryOf = ({ offset, length }: Node): Range => ({ start: offset, end: offset + length });

/** The comma behind it; of the last entry, the one before it. */
function commaOf(text: string, node: Node): Range | undefined {
  const after = pastTrivia(text, node.offset + node.length);
  if (text[after] === ',') return { start: after, end: after + 1 };
  const siblings = node.parent?.children ?? [];
  const before = siblings[siblings.indexOf(node) - 1];
  if (!before) return undefined;
  const comma = pastTrivia(text, before.offset + before.length);
  return { start: comma, end: comma + 1 };
}

function pastTrivia(text: string, from: number): number {
  const trivia = /(?:\s+|\/\/[^\n]*|\/\*[^]*?\*\/)*/y;
  trivia.lastIndex = from;
  trivia.exec(text);
  return trivia.lastIndex;
}

/** Entry and comma with the blanks between them, and whole lines where nothing else is left on them. */
function joined(text: string, entry: Range, comma: Range | undefined): Range[] {
  if (!comma) return [withBlanks(text, entry)];
  const [first, second] = comma.start < entry.start ? [comma, entry] : [entry, comma];
  const between = text.slice(first.end, second.start);
  if (between.trim() === '') {
    const range = { start: first.start, end: second.end };
    // A comma before, on a line of its own entry: that line stays as it is.
    return comma.start < entry.start ? [range] : [withBlanks(text, range)];
  }
  return comma.start < entry.start ? [comma, withBlanks(text, entry)] : [entry, withBlanks(text, comma)];
}

function withBlanks(text: string, { start, end }: Range): Range {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const newline = text.indexOf('\n', end);
  const lineEnd = newline < 0 ? text.length : newline;
  const alone = text.slice(lineStart, start).trim() === '' && text.slice(end, lineEnd).trim() === '';
  if (alone && lineStart > 0) return { start: lineStart, end: Math.min(text.length, lineEnd + 1) };
  const blanks = /^[ \t]*/.exec(text.slice(end, lineEnd))?.[0].length ?? 0;
  // What follows on the line stays where the entry was.
  return { start, end: end + blanks };
}

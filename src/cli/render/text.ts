/**
 * Text in terminal cells. What comes from outside (a session key, a channel's name) may hold anything: control
 * characters would let a stranger's chat name write to the operator's terminal, so they are shown as a box.
 */

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** C0 and C1 controls, and the marks that turn the direction of writing. */
const UNSAFE = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** Two cells: emoji, and the wide blocks of East Asian scripts. */
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

export function safe(text: string): string {
  return text.replaceAll(UNSAFE, '\ufffd');
}

/** The same for text of several lines: line breaks and tabs stay. */
export function safeProse(text: string): string {
  return text.replaceAll(UNSAFE, (mark) => (mark === '\n' || mark === '\t' ? mark : '\ufffd'));
}

/** Cells that `text` (without colours) takes. */
export function cells(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += cellsOf(segment);
  return width;
}

function cellsOf(grapheme: string): number {
  if (/^\p{Mark}+$/u.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** At most `width` cells; what is cut ends with `…`. */
export function cut(text: string, width: number): string {
  if (cells(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += cellsOf(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return width > 0 ? `${kept}…` : '';
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - cells(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - cells(text))) + text;
}

/** A duration for people, at most six characters wide: 850ms, 12s, 3m, 5h, 2d. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`;
  const steps: readonly [number, number, string][] = [
    [60_000, 1_000, 's'],
    [3_600_000, 60_000, 'm'],
    [86_400_000, 3_600_000, 'h'],
  ];
  for (const [below, unit, name] of steps) if (ms < below) return `${Math.floor(ms / unit)}${name}`;
  return `${Math.floor(ms / 86_400_000)}d`;
}

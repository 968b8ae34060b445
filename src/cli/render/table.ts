import type { Paint } from './style.ts';
import { cells, padEnd, padStart } from './text.ts';

const GAP = '  ';

/** Columns under dim headings; those that hold numbers only are set to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string[] {
  const widths = head.map((title, at) => Math.max(cells(title), ...rows.map((row) => cells(row[at] ?? ''))));
  const numeric = head.map((_, at) => rows.every((row) => /^[\d.,]+$/.test(row[at] ?? '')));
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => (numeric[at] ? padStart : padEnd)(text, widths[at] ?? 0))
      .join(GAP)
      .trimEnd();
  return [paint('dim', line(head)), ...rows.map(line)];
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy;

/**
 * `30m`, `60s`, `1h30m`, `500ms`, `1d` as milliseconds; undefined when it is none of these. A bare number is taken in
 * `bareUnit`: the field's best-known gateway reads `every: 60` as 60 *minutes*, and so do we.
 */
export function parseDuration(value: string | number, bareUnit: 'ms' | 's' | 'm'): number | undefined {
  const text = String(value).trim().toLowerCase();
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.round(Number(text) * (UNITS[bareUnit] ?? 1));
  PART.lastIndex = 0;
  let total = 0;
  let end = 0;
  for (let match = PART.exec(text); match; match = PART.exec(text)) {
    total += Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0);
    end = PART.lastIndex;
  }
  return end > 0 && end === text.length ? Math.round(total) : undefined;
}

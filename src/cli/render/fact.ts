import type { Envelope } from '../../bus/index.ts';
import type { Colour, Paint } from './style.ts';
import { safe } from './text.ts';

/** A fact as it comes over the wire. */
export type FactView = Pick<Envelope, 'seq' | 'ts' | 'severity' | 'path' | 'incarnation' | 'traceId'> & {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
};

const COLOURS: Readonly<Record<FactView['severity'], Colour>> = {
  debug: 'dim',
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};

/** One line: time, type, whose, and the fields. */
export function renderFact({ ts, type, severity, path, incarnation, data }: FactView, paint: Paint): string {
  const time = new Date(ts).toISOString().slice(11, 23);
  const who = path === undefined ? '' : `  ${safe(path)}#${incarnation ?? 0}`;
  const fields = Object.entries(data).map(([name, value]) => `${name}=${shown(value)}`);
  return `${paint('dim', time)} ${paint(COLOURS[severity], safe(type))}${who}  ${safe(fields.join(' '))}`.trimEnd();
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /^[\w./:@#-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? 'undefined';
}

import type { Move, Path, Plain } from './contract.ts';
import { shortType } from './transitions.ts';

const WIDEST = 100;

/** `send push {"weight":11}`, `actor load ends with {...}`, `wait 1000 ms: after(1000)`. */
export function moveText({ kind, event, actor, ms }: Move): string {
  const { type, ...payload } = event as { type: string } & Readonly<Record<string, Plain>>;
  const [value] = Object.values(payload);
  if (kind === 'send') return `send ${type}${Object.keys(payload).length > 0 ? ` ${text(payload)}` : ''}`;
  if (kind === 'after') return `wait ${ms} ms: ${shortType(type)}`;
  if (kind === 'snapshot') return `actor ${actor} shows ${text(value)}`;
  return `actor ${actor} ${kind === 'error' ? 'fails' : 'ends'}${value === undefined ? '' : ` with ${text(value)}`}`;
}

/** A path as a list for people: the start, then a line a step with the state it leads to. */
export function pathText({ start, steps }: Path): string {
  return [
    `start: ${stateText(start.value)}`,
    ...steps.map((step, index) => `${index + 1}. ${moveText(step)}  >  ${stateText(step.expected.value)}`),
  ].join('\n');
}

const stateText = (value: Plain): string => (typeof value === 'string' ? value : JSON.stringify(value));

function text(value: Plain | undefined): string {
  const whole = isError(value) ? `${value.$error.name}: ${value.$error.message}` : JSON.stringify(value);
  return whole.length > WIDEST ? `${whole.slice(0, WIDEST)}...` : whole;
}

const isError = (value: Plain | undefined): value is { $error: { name: string; message: string } } =>
  typeof value === 'object' && value !== null && '$error' in value;

/**
 * What makes two tool calls, or two results, the same. Pure and total: sorted JSON, hashed. What differs between two
 * runs of the same failing thing (times, durations, process ids) does not count; what a tool really says does.
 */
import { withoutWarning } from './tool-loop-words.ts';

type Word = (text: string) => string;
const MAX_DEPTH = 64;

/** JSON with sorted keys. Never throws: what is no JSON becomes its text, a cycle and what lies too deep a mark. */
export function stableJson(value: unknown, word: Word = (text) => text): string {
  return canonical(value, word, []);
}

function canonical(value: unknown, word: Word, above: readonly object[]): string {
  if (typeof value === 'string') return JSON.stringify(word(value));
  if (value === null || typeof value !== 'object') return String(value);
  if (value instanceof Date) return JSON.stringify(String(value.getTime()));
  if (above.length >= MAX_DEPTH || above.includes(value)) return '"…"';
  const path = [...above, value];
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, word, path)).join()}]`;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, word, path)}`).join()}}`;
}

/** 64 bits as 16 hexadecimal digits: FNV-1a in two lanes, mixed at the end. Not for secrets. */
export function hash(text: string): string {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
  }
  const mixed = [mix(a ^ (b >>> 15)), mix(b ^ (a >>> 13))];
  return mixed.map((lane) => lane.toString(16).padStart(8, '0')).join('');
}

function mix(lane: number): number {
  const once = Math.imul(lane ^ (lane >>> 16), 0x7feb352d);
  const twice = Math.imul(once ^ (once >>> 15), 0x846ca68b);
  return (twice ^ (twice >>> 16)) >>> 0;
}

/** The tool and its input. */
export const callFingerprint = (toolName: string, input: unknown): string =>
  `${toolName}:${hash(stableJson(parsed(input)))}`;

/** What came of a call. A warning of ours in it does not count, and JSON counts by its value, also when it is text. */
export function resultFingerprint(
  call: { readonly toolName: string; readonly input: unknown },
  result: { readonly output: unknown; readonly isError: boolean },
): string {
  const said = typeof result.output === 'string' ? withoutWarning(result.output) : result.output;
  const output = lasting(call, parsed(said));
  return result.isError
    ? `error:${hash(stableJson(output, failureIdentity))}`
    : hash(stableJson(output, unmarked));
}

/** JSON that comes as text: servers of tools answer so. */
function parsed(value: unknown): unknown {
  if (typeof value !== 'string' || !JSON_LIKE.test(value) || TOO_LONG.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value; // text that only begins like JSON is text
  }
}
const JSON_LIKE = /^\s*(?:[[{\d-]|true\b|false\b|null\b)/;
/** A whole number that would be rounded, so that two different ones became the same. */
const TOO_LONG = /(?:^|[:,[\s-])\d{17,}/;

/** Fields that tell one call from the next and not what came of it. Names of content, such as `updatedAt`, are none. */
const VOLATILE = new Set([
  ...[
    'timestamp',
    'ts',
    'startedAt',
    'endedAt',
    'finishedAt',
    'completedAt',
    'checkedAt',
    'fetchedAt',
    'sentAt',
  ],
  ...['duration', 'durationMs', 'elapsed', 'elapsedMs', 'took', 'tookMs', 'latencyMs', 'attempt', 'pid'],
  ...['requestId', 'traceId', 'spanId', 'messageId', 'toolCallId', 'callId'],
]);
/** What is looked at when a process is polled, by action. */
const POLLED: Readonly<Record<string, readonly string[]>> = {
  poll: ['action', 'status', 'exitCode', 'exitSignal', 'aggregated', 'text'],
  log: [...['action', 'status', 'totalLines', 'totalChars', 'truncated', 'exitCode', 'exitSignal', 'text']],
};

/** An object without its volatile fields, unless it has no others: a clock that is asked for the time says something. */
function lasting(
  { toolName, input }: { readonly toolName: string; readonly input: unknown },
  value: unknown,
): unknown {
  if (!isObject(value)) return value;
  const polled = toolName === 'process' ? (POLLED[actionOf(input)] ?? []) : [];
  const fields = Object.entries(value);
  const named = fields.filter(([key]) => polled.includes(key));
  const kept = named.length > 0 ? named : fields.filter(([key]) => !VOLATILE.has(key));
  return kept.length > 0 ? Object.fromEntries(kept) : value;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function actionOf(input: unknown): string {
  const value = parsed(input);
  return isObject(value) && typeof value['action'] === 'string' ? value['action'] : '';
}

/**
 * Marks around untrusted content carry an id that is new every time. Its content may be full of half a mark: what the
 * pattern may take is bounded, so that its time is, too.
 */
const unmarked: Word = (text) => text.replaceAll(/(<<<[A-Z_ ]{0,40}UNTRUSTED)[^<>]{0,200}>>>/g, '$1>>>');

const REPLACED: readonly (readonly [pattern: RegExp, by: string])[] = [
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>'],
  [/\b\d{1,2}:\d\d:\d\d(?:\.\d+)?/g, '<time>'],
  [/\b1[5-9]\d{8}(?:\d{3})?\b/g, '<time>'],
  [/\b(attempt|try|retry)[ #]+\d+/gi, '$1 <n>'],
  [/\b\d+(?:\.\d+)? ?(?:ms|milliseconds?|s|secs?|seconds?|min|minutes?|h|hours?)\b/gi, '<duration>'],
  [/\b(pid)[ =:]*\d+/gi, '$1 <n>'],
];
/** The same failure again, told at another time. */
const failureIdentity: Word = (text) =>
  REPLACED.reduce((said, [pattern, by]) => said.replaceAll(pattern, by), unmarked(text));

import { normalizeError } from '../../errors.ts';

export interface RedactorOptions {
  /** Regular expressions of the operator, applied to every string beside the built-in shapes. */
  readonly patterns?: readonly string[];
  /** Values known to be secret (the gateway's token, API keys): removed wherever they appear. */
  readonly secrets?: readonly string[];
}

/** Takes secrets out of what is about to leave the process. It has no off switch. Nothing here throws. */
export interface Redactor {
  /** A string with every known shape of a secret replaced. */
  text(text: string): string;
  /** A copy in plain JSON values: secret keys emptied, strings cleaned, depth and breadth bounded. */
  value(value: unknown): unknown;
  /** A finished JSON line: the last net. Replaces only what cannot break the JSON. */
  line(line: string): string;
}

export const REDACTED = '[redacted]';

/** Compared after removing everything but letters and digits, in lower case. */
const SECRET_KEY =
  /(?:authorization|password|passwd|passphrase|secret|token|apikey|privatekey|accesskey|signingkey|cookie|credentials?|signature)$/;

/** What to look for, and what stands in its place. */
type Rule = readonly [RegExp, string];
/** Rules, and what a text must contain for any of them to match: nearly no text does, and one look is enough to see. */
interface Rules {
  readonly hint: RegExp;
  readonly all: readonly Rule[];
}

/** Shapes that are secret wherever they stand. None of them can match a quote or a backslash: JSON stays JSON. */
const SHAPES: readonly Rule[] = [
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${REDACTED}`],
  [/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?/g, REDACTED],
  [/\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{12,}/g, REDACTED],
  [/\bgh[opusr]_[A-Za-z0-9]{16,}/g, REDACTED],
  [/\b(?:github_pat|glpat|npm)[_-][A-Za-z0-9_-]{16,}/g, REDACTED],
  [/\bx(?:ox[a-z]|app)-[A-Za-z0-9-]{8,}/g, REDACTED],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, REDACTED],
  [/\bAIza[A-Za-z0-9_-]{30,}/g, REDACTED],
  [/\bwhsec_[A-Za-z0-9+/=]{8,}/g, REDACTED],
  [/(?<![A-Za-z0-9])\d{6,12}:[A-Za-z0-9_-]{30,}/g, REDACTED], // a Telegram bot token, also inside /bot.../
  [/([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/:@"'\\]{0,200}:[^\s/@"'\\]{1,400}@/gi, `$1${REDACTED}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?="|$))/g, REDACTED],
];
/** One piece of each shape above, in its order. */
const SHAPE_HINT =
  /bearer|basic|eyJ|[spr]k[-_]|gh[opusr]_|github_pat|glpat|npm[_-]|xox|xapp|AKIA|ASIA|AIza|whsec_|\d{6}:|:\/\/|-----BEGIN/i;
const SHAPED: Rules = { hint: SHAPE_HINT, all: SHAPES };

const NAMES =
  'authorization|api[_-]?key|private[_-]?key|access[_-]?key|secret|token|password|passwd|passphrase|cookie|signature|sig';
/** `name=value` and `name: value` inside a text, also in JSON that was put into a string. */
const ASSIGNMENTS: readonly Rule[] = [
  [
    new RegExp(
      String.raw`((?:${NAMES})(?:\\*["'])?\s{0,3}(?:=|:|%3D)\s{0,3}(?:\\*["'])?)(?!\[redacted\]|bearer\s|basic\s)([^\s"'\\&,;]{3,})`,
      'gi',
    ),
    `$1${REDACTED}`,
  ],
  [/(key(?:\\*["'])?\s{0,3}(?:=|:|%3D)\s{0,3}(?:\\*["'])?)[0-9a-f]{20,}/gi, `$1${REDACTED}`],
];
const ASSIGNED: Rules = { hint: /[=:]|%3D/i, all: ASSIGNMENTS };

const MAX_DEPTH = 10;
const MAX_ENTRIES = 1_000;
const MAX_TEXT = 65_536;
/** Shorter "secrets" would take ordinary words out of the log. */
const MIN_SECRET = 6;

export function createRedactor(options: RedactorOptions = {}): Redactor {
  const secrets = (options.secrets ?? []).filter((secret) => secret.length >= MIN_SECRET);
  // In a finished line a secret with a quote or a newline stands escaped.
  const spellings = [
    ...new Set([...secrets, ...secrets.map((secret) => JSON.stringify(secret).slice(1, -1))]),
  ];
  const own = (options.patterns ?? []).map((pattern): Rule => [new RegExp(pattern, 'g'), REDACTED]);
  const line = (text: string): string =>
    applyAny(
      spellings.reduce((left, secret) => left.replaceAll(secret, REDACTED), text),
      SHAPED,
    );
  const text = (input: string): string => {
    const clipped = input.length > MAX_TEXT ? `${input.slice(0, MAX_TEXT)}…` : input;
    return applyAll(applyAny(line(clipped), ASSIGNED), own);
  };
  return { text, line, value: (value) => cleanValue(value, text, 0) };
}

const applyAny = (text: string, { hint, all }: Rules): string =>
  hint.test(text) ? applyAll(text, all) : text;

function applyAll(text: string, rules: readonly Rule[]): string {
  let result = text;
  for (const [pattern, replacement] of rules) result = result.replace(pattern, replacement);
  return result;
}

export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));
}

type Clean = (text: string) => string;

function cleanValue(value: unknown, clean: Clean, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return clean(value);
    case 'bigint':
      return String(value);
    case 'function':
    case 'symbol':
      return undefined;
    case 'object':
      return value === null ? null : cleanObject(value, clean, depth);
    default:
      return value;
  }
}

function cleanObject(value: object, clean: Clean, depth: number): unknown {
  if (depth > MAX_DEPTH) return '[too deep]';
  try {
    if (value instanceof Error) return cleanEntries(normalizeError(value), clean, depth);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (value instanceof Map) return cleanEntries(Object.fromEntries(value), clean, depth);
    if (value instanceof Set) return cleanArray([...value], clean, depth);
    if (Array.isArray(value)) return cleanArray(value, clean, depth);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return cleanValue(toJSON.call(value), clean, depth + 1);
    return cleanEntries(value, clean, depth);
  } catch (error) {
    return `[unreadable: ${clean(normalizeError(error).message)}]`;
  }
}

/** Also the list forms of a header: ["authorization", "..."]. */
function cleanArray(items: readonly unknown[], clean: Clean, depth: number): unknown[] {
  return items.slice(0, MAX_ENTRIES).map((item, index) => {
    const before = items[index - 1];
    const named = typeof before === 'string' && isSecretKey(before) && typeof item === 'string';
    return named ? REDACTED : cleanValue(item, clean, depth + 1);
  });
}

/** Fail-closed: under a secret key everything goes, except what can only say whether there is one. */
function cleanEntries(value: object, clean: Clean, depth: number): object {
  const { name, key, header } = value as { name?: unknown; key?: unknown; header?: unknown };
  const label = [name, key, header].find((one) => typeof one === 'string' && isSecretKey(one));
  const entries = Object.entries(value).slice(0, MAX_ENTRIES);
  return Object.fromEntries(
    entries.map(([entry, item]) => {
      const secret = isSecretKey(entry) || (entry === 'value' && label !== undefined);
      const telling = typeof item === 'boolean' || item === null || item === undefined;
      return [clean(entry), secret && !telling ? REDACTED : cleanValue(item, clean, depth + 1)];
    }),
  );
}

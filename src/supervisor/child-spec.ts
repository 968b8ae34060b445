import type { AnyActorLogic } from 'xstate';
import type { Scope } from './scope.ts';
import type { SpecFault } from './spec-fault.ts';

/** When a child that ended is started again: always, unless it ended well, never. */
export type Restart = 'permanent' | 'transient' | 'temporary';
/** Who is restarted with a child that failed: nobody, all, those that were started after it. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';
/** How long a child may take to stop, in milliseconds; `brutal` gives it no time, `infinity` all. */
export type Shutdown = number | 'brutal' | 'infinity';

/** Delay before restart n: min(minMs * factor^n, maxMs) * (1 + random * jitter); n returns to 0 after a quiet resetAfterMs. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
  readonly factor: number;
  readonly jitter: number;
  readonly resetAfterMs: number;
}

/** What a child is told at every start. Only `path` and `incarnation` may go into a machine's context. */
export interface StartContext {
  readonly path: string;
  readonly incarnation: number;
  readonly scope: Scope;
  /**
   * What the life before left by `keep`, once. Not given if that life was itself given facts and died young (within
   * `backoff.resetAfterMs`, else the supervisor's `periodMs`), ended normally or was stopped by an operator. See
   * `quarantine` for what follows when the life without them dies young too.
   */
  readonly facts?: unknown;
  /** Leaves plain facts for the next life, instead of those left before. Without effect once this life is over. */
  keep(facts: unknown): void;
}

/** What a supervisor must know of a child to start it, stop it and start it again. */
export interface ChildSpec {
  /** A segment of the path. Stable over restarts; unique among its siblings; at most 1,000 characters. */
  readonly id: string;
  readonly logic: AnyActorLogic;
  /** Asked at every start, so every incarnation gets fresh input. */
  readonly input?: (start: StartContext) => unknown;
  /** Default permanent. */
  readonly restart?: Restart;
  /** Default 5,000 ms; supervisors: infinity. */
  readonly shutdown?: Shutdown;
  readonly type?: 'worker' | 'supervisor';
  readonly significant?: boolean;
  /** Default: none (the next macrotask). */
  readonly backoff?: Backoff;
  /**
   * True: a child that dies young with the facts of the life before, and dies young again when it was started without
   * them, is parked, whatever `onExhausted` says; its siblings are spared, it is probed after `probeMs`, and an operator
   * may `unpark` it. Young is within `backoff.resetAfterMs`, else the supervisor's `periodMs`. Default false: it is
   * restarted and counted, as OTP does. Only under `one_for_one`.
   */
  readonly quarantine?: boolean;
  /** Under a partitioned supervisor: children with the same key share a partition. Default: the id. Without meaning elsewhere. */
  readonly partitionKey?: string;
}

/** The rules of one supervisor, and its children in the order of their start. */
export interface SupervisorSpec {
  readonly strategy: Strategy;
  /** More than `intensity` restarts within `periodMs` exhaust the supervisor (a sliding log). */
  readonly intensity: number;
  readonly periodMs: number;
  readonly autoShutdown?: 'never' | 'any_significant' | 'all_significant';
  /**
   * Default escalate, as OTP: stop everything and fail upwards. `park`: leave the one child down and spare its
   * siblings; the log is then kept per child, so that a noisy sibling cannot park an innocent one.
   */
  readonly onExhausted?: 'escalate' | 'park';
  /** A parked child is tried again after this long (half-open), doubling up to ten times that. Default 60,000. */
  readonly probeMs?: number;
  /** Default unlimited. */
  readonly maxChildren?: number;
  /** Children come and go at run time: they stop in parallel, and one that has finished is forgotten. */
  readonly dynamic?: boolean;
  readonly children?: readonly ChildSpec[];
}

/** The first thing wrong with a supervisor spec or one of its children, or undefined. Starts nothing. */
export function checkSpec(spec: SupervisorSpec): SpecFault | undefined {
  if (typeof spec !== 'object' || spec === null) return { field: 'spec', value: spec, expected: 'an object' };
  const wrong = SUPERVISOR_RULES.find(([field, ok]) => !ok(spec[field as keyof SupervisorSpec], spec));
  if (wrong) return { field: wrong[0], value: spec[wrong[0] as keyof SupervisorSpec], expected: wrong[2] };
  const children = spec.children ?? [];
  if (!Array.isArray(children))
    return { field: 'children', value: children, expected: 'a list of child specs' };
  for (const child of children) {
    const fault = checkChildSpec(child, spec.autoShutdown ?? 'never', spec.strategy);
    if (fault) return fault;
  }
  return checkSiblings(children);
}

export function checkSiblings(children: readonly ChildSpec[]): SpecFault | undefined {
  const seen = new Set<string>();
  for (const { id } of children) {
    if (seen.has(id)) return { field: 'id', value: id, expected: 'an id that no sibling has' };
    seen.add(id);
  }
  return undefined;
}

/** What is wrong with a child spec, by field; undefined when nothing is. */
export function checkChildSpec(
  child: ChildSpec,
  autoShutdown: SupervisorSpec['autoShutdown'] = 'never',
  strategy: Strategy = 'one_for_one',
): SpecFault | undefined {
  if (typeof child !== 'object' || child === null)
    return { field: 'children', value: child, expected: 'child specs' };
  const wrong = CHILD_RULES.find(([field, ok]) => !ok(child[field as keyof ChildSpec], child));
  if (wrong)
    return {
      field: `${String(child.id)}.${wrong[0]}`,
      value: child[wrong[0] as keyof ChildSpec],
      expected: wrong[2],
    };
  if (child.significant && autoShutdown === 'never') {
    return { field: `${child.id}.significant`, value: true, expected: 'a supervisor with autoShutdown' };
  }
  if (child.quarantine && strategy !== 'one_for_one') {
    const expected = 'false: only one_for_one can spare the siblings';
    return { field: `${child.id}.quarantine`, value: true, expected };
  }
  return undefined;
}

/** An id is part of every report about its child, and of those of all below it. */
const ID_CHARS = 1_000;

type Rule<S> = readonly [field: string, ok: (value: unknown, spec: S) => boolean, expected: string];

const oneOf =
  (...values: unknown[]) =>
  (value: unknown): boolean =>
    value === undefined || values.includes(value);
const count = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;
const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean';
const positive = (value: unknown): boolean =>
  typeof value === 'number' && Number.isFinite(value) && value > 0;

const SUPERVISOR_RULES: readonly Rule<SupervisorSpec>[] = [
  [
    'strategy',
    (v) => v !== undefined && oneOf('one_for_one', 'one_for_all', 'rest_for_one')(v),
    'one_for_one, one_for_all or rest_for_one',
  ],
  ['intensity', count, 'a whole number from 0'],
  ['periodMs', positive, 'milliseconds above 0'],
  [
    'autoShutdown',
    oneOf('never', 'any_significant', 'all_significant'),
    'never, any_significant or all_significant',
  ],
  ['onExhausted', oneOf('escalate', 'park'), 'escalate or park'],
  [
    'onExhausted',
    (v, s) => v !== 'park' || s.strategy === 'one_for_one',
    'escalate: only one_for_one can spare the siblings',
  ],
  ['probeMs', (v) => v === undefined || positive(v), 'milliseconds above 0'],
  ['maxChildren', (v) => v === undefined || count(v), 'a whole number from 0'],
  [
    'maxChildren',
    (v, s) => typeof v !== 'number' || !Array.isArray(s.children) || s.children.length <= v,
    'no fewer than the children it is started with',
  ],
  ['dynamic', isFlag, 'true or false'],
  [
    'dynamic',
    (v, s) => v !== true || s.strategy === 'one_for_one',
    'false: dynamic children are one_for_one',
  ],
];

const CHILD_RULES: readonly Rule<ChildSpec>[] = [
  [
    'id',
    (v) => typeof v === 'string' && v !== '' && v.length <= ID_CHARS,
    `a non-empty string of at most ${ID_CHARS} characters`,
  ],
  [
    'logic',
    (v) => typeof (v as { transition?: unknown } | undefined)?.transition === 'function',
    'actor logic',
  ],
  ['input', (v) => v === undefined || typeof v === 'function', 'a function'],
  ['restart', oneOf('permanent', 'transient', 'temporary'), 'permanent, transient or temporary'],
  [
    'shutdown',
    (v) => v === undefined || v === 'brutal' || v === 'infinity' || positive(v) || v === 0,
    'milliseconds, brutal or infinity',
  ],
  ['type', oneOf('worker', 'supervisor'), 'worker or supervisor'],
  ['significant', isFlag, 'true or false'],
  [
    'significant',
    (v, s) => v !== true || (s.restart ?? 'permanent') !== 'permanent',
    'false for a permanent child',
  ],
  [
    'backoff',
    (v) => v === undefined || isBackoff(v),
    '{ minMs, maxMs, factor, jitter, resetAfterMs }, none negative, minMs, factor and jitter finite',
  ],
  ['quarantine', isFlag, 'true or false'],
  [
    'quarantine',
    (v, s) => v !== true || s.restart !== 'temporary',
    'false for a temporary child: it has no next life',
  ],
  ['partitionKey', (v) => v === undefined || typeof v === 'string', 'a string'],
];

function isBackoff(value: unknown): boolean {
  const b = (value ?? {}) as Partial<Backoff>;
  return (
    [b.minMs, b.maxMs, b.factor, b.jitter, b.resetAfterMs].every((n) => typeof n === 'number' && n >= 0) &&
    [b.minMs, b.factor, b.jitter].every(Number.isFinite)
  );
}

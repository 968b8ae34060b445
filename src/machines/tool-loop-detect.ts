/** The detectors of tool loops: pure functions over the last calls of a model. */

export type LoopDetector =
  | 'generic_repeat'
  | 'known_poll_no_progress'
  | 'ping_pong'
  | 'global_circuit_breaker';

/** When a model is warned, and when it is stopped. Counts of calls that have been answered. */
export interface LoopPolicy {
  readonly enabled: boolean;
  /** Calls that are remembered. At least `criticalThreshold`, whatever is said here. */
  readonly historySize: number;
  readonly warningThreshold: number;
  readonly criticalThreshold: number;
  /** Calls in a row without anything new, whatever they are. */
  readonly globalCircuitBreakerThreshold: number;
  readonly detectors: {
    readonly genericRepeat: boolean;
    readonly knownPollNoProgress: boolean;
    readonly pingPong: boolean;
  };
  /** Tools that are meant to be asked again and again, beside `command_status` and `process` with poll or log. */
  readonly pollTools: readonly string[];
}
type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined };
/** What of the policy is not to be the default. */
export type LoopPolicyOptions = Optional<Omit<LoopPolicy, 'detectors'>> & {
  readonly detectors?: Optional<LoopPolicy['detectors']> | undefined;
};

/** On; warns at 10 repeats, opens at 20, and at 30 whatever detector counts. */
export const DEFAULT_LOOP_POLICY: LoopPolicy = {
  enabled: true,
  historySize: 30,
  warningThreshold: 10,
  criticalThreshold: 20,
  globalCircuitBreakerThreshold: 30,
  detectors: { genericRepeat: true, knownPollNoProgress: true, pingPong: true },
  pollTools: [],
};

/** Fills in the defaults. A number that is none falls back to its default; each threshold lies above the one before. */
export function loopPolicy(options: LoopPolicyOptions = {}): LoopPolicy {
  const standard = DEFAULT_LOOP_POLICY;
  const detectors = options.detectors ?? {};
  const warningThreshold = counted(options.warningThreshold, standard.warningThreshold);
  const critical = counted(options.criticalThreshold, standard.criticalThreshold);
  const criticalThreshold = Math.max(critical, warningThreshold + 1);
  const global = counted(options.globalCircuitBreakerThreshold, standard.globalCircuitBreakerThreshold);
  return {
    enabled: options.enabled ?? standard.enabled,
    historySize: Math.max(counted(options.historySize, standard.historySize), criticalThreshold),
    warningThreshold,
    criticalThreshold,
    globalCircuitBreakerThreshold: Math.max(global, criticalThreshold + 1),
    detectors: {
      genericRepeat: detectors.genericRepeat ?? true,
      knownPollNoProgress: detectors.knownPollNoProgress ?? true,
      pingPong: detectors.pingPong ?? true,
    },
    pollTools: options.pollTools ?? standard.pollTools,
  };
}

const counted = (value: number | undefined, standard: number): number =>
  value !== undefined && Number.isSafeInteger(value) && value > 0 ? value : standard;

/** A call that was answered. `call` and `result` are fingerprints. */
export interface LoopRecord {
  readonly toolName: string;
  readonly call: string;
  readonly result: string;
  readonly poll: boolean;
}

/** The newest call comes last. `stalled`: answers in a row that told nothing new. */
export interface LoopHistory {
  readonly history: readonly LoopRecord[];
  readonly stalled: number;
}

/** What a detector found. */
export interface LoopFinding {
  readonly level: 'warning' | 'critical';
  readonly detector: LoopDetector;
  readonly count: number;
  readonly toolName: string;
  /** The other tool of a ping-pong. */
  readonly pairedToolName: string | null;
  /** Proven: every result was the same. Else only the calls were. */
  readonly stuck: boolean;
  /** Names this loop among others. */
  readonly key: string;
}

/** An answer is new when the same call was not made lately, or said something else the last time. */
export function remember({ history, stalled }: LoopHistory, record: LoopRecord, size: number): LoopHistory {
  const before = history.findLast(({ call }) => call === record.call);
  return {
    history: [...history, record].slice(-size),
    stalled: before?.result === record.result ? stalled + 1 : 0,
  };
}

/** What the detectors say after the newest answer; the first that fits, what stops before what warns. */
export function detect(policy: LoopPolicy, { history, stalled }: LoopHistory): LoopFinding | null {
  const last = history.at(-1);
  if (!policy.enabled || !last) return null;
  const found = [...findings(policy, history, last, stalled)];
  return found.find(({ level }) => level === 'critical') ?? found[0] ?? null;
}

function* findings(
  policy: LoopPolicy,
  history: readonly LoopRecord[],
  last: LoopRecord,
  stalled: number,
): Generator<LoopFinding> {
  const {
    warningThreshold: warn,
    criticalThreshold: stop,
    globalCircuitBreakerThreshold: all,
    detectors,
  } = policy;
  const streak = noProgressStreak(history, last);
  const nothing = Math.max(streak, stalled);
  const about = { toolName: last.toolName, pairedToolName: null, stuck: true };
  if (nothing >= all)
    yield { ...about, level: 'critical', detector: 'global_circuit_breaker', count: nothing, key: 'global' };
  if (detectors.knownPollNoProgress && last.poll && streak >= warn) {
    const key = `poll:${last.call}:${last.result}`;
    yield { ...about, level: levelOf(streak, stop), detector: 'known_poll_no_progress', count: streak, key };
  }
  if (detectors.pingPong) {
    const match = pingPong(history, last);
    if (match.count >= warn) yield { ...match, level: match.stuck ? levelOf(match.count, stop) : 'warning' };
  }
  if (detectors.genericRepeat && !last.poll) {
    const repeats = history.filter(({ call }) => call === last.call).length;
    const stuck = streak >= warn;
    const count = stuck ? streak : repeats;
    const key = `generic:${last.call}`;
    if (count >= warn)
      yield {
        ...about,
        level: stuck ? levelOf(streak, stop) : 'warning',
        detector: 'generic_repeat',
        count,
        stuck,
        key,
      };
  }
  if (nothing >= stop)
    yield { ...about, level: 'warning', detector: 'global_circuit_breaker', count: nothing, key: 'global' };
}

const levelOf = (count: number, critical: number): LoopFinding['level'] =>
  count >= critical ? 'critical' : 'warning';

/** How often the newest call said the same without a break; other calls between do not count. */
function noProgressStreak(history: readonly LoopRecord[], last: LoopRecord): number {
  const same = history.filter(({ call }) => call === last.call);
  return same.length - 1 - same.findLastIndex(({ result }) => result !== last.result);
}

/** The tail in which two calls take turns, and whether neither ever said anything else. */
function pingPong(history: readonly LoopRecord[], last: LoopRecord): Omit<LoopFinding, 'level'> {
  const other = history.at(-2) ?? last;
  const newestFirst = history.toReversed();
  const due = (at: number): LoopRecord => (at % 2 === 0 ? last : other);
  const broken = newestFirst.findIndex(({ call }, at) => call !== due(at).call);
  const count = other.call === last.call ? 0 : broken < 0 ? history.length : broken;
  const stuck = newestFirst.slice(0, count).every(({ result }, at) => result === due(at).result);
  const key = `pingpong:${[last.call, other.call].toSorted().join('|')}`;
  return {
    detector: 'ping_pong',
    count,
    toolName: last.toolName,
    pairedToolName: other.toolName,
    stuck,
    key,
  };
}

/** The calls a loop is made of, each with its last result. */
export function suspectsOf({ detector }: LoopFinding, history: readonly LoopRecord[]): LoopRecord[] {
  const involved = detector === 'global_circuit_breaker' ? history.length : detector === 'ping_pong' ? 2 : 1;
  const last = new Map(history.slice(-involved).map((record) => [record.call, record]));
  return [...last.values()];
}

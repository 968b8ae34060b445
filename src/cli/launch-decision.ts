/**
 * What the launcher does when its child ends: a pure function over plain data. Imports nothing, so that the
 * launcher starts fast and this table can be tested without a process.
 */

/** How a child ended. `stuck`: its heartbeat stopped and it was killed. `overran`: it was told to stop and had to be killed. */
export type Ending =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'stuck' }
  | { readonly kind: 'overran' }
  | { readonly kind: 'unspawnable'; readonly reason: string };

/** Delay before restart n: min(minMs * factor^n, maxMs) * (1 + random * jitter); n returns to 0 after a life of resetAfterMs. */
export interface LaunchPolicy {
  readonly minMs: number;
  readonly maxMs: number;
  readonly factor: number;
  readonly jitter: number;
  readonly resetAfterMs: number;
  /** More than `intensity` unclean ends within `periodMs` are a crash loop. */
  readonly intensity: number;
  readonly periodMs: number;
  /** A planned restart asked for by a life shorter than this counts as an unclean end: so restart loops end too. */
  readonly plannedMinUpMs: number;
}

export const LAUNCH_POLICY: LaunchPolicy = {
  minMs: 100,
  maxMs: 30_000,
  factor: 2,
  jitter: 0.2,
  resetAfterMs: 60_000,
  intensity: 10,
  periodMs: 300_000,
  plannedMinUpMs: 1_000,
};

export interface LaunchHistory {
  /** Restarts with backoff since the last quiet life. */
  readonly attempt: number;
  /** When the unclean ends of the last period happened, oldest first. At most `intensity` + 1 of them. */
  readonly uncleanAt: readonly number[];
}

export const NO_HISTORY: LaunchHistory = { attempt: 0, uncleanAt: [] };

export interface Circumstances {
  readonly nowMs: number;
  /** How long the life that ended had lasted. */
  readonly upMs: number;
  /** The launcher was told to stop. */
  readonly stopping: boolean;
  /** In [0, 1). */
  readonly random: number;
}

export type Verdict =
  | { readonly action: 'stop'; readonly code: number }
  | { readonly action: 'give-up'; readonly code: number; readonly uncleanEnds: number }
  | { readonly action: 'restart'; readonly delayMs: number };

export interface Decision {
  readonly verdict: Verdict;
  readonly history: LaunchHistory;
}

/** Exit 0 and 78 stop the launcher with the same code; 75 restarts at once; everything else restarts after a backoff. */
export function decideAfterEnd(
  history: LaunchHistory,
  ending: Ending,
  at: Circumstances,
  policy: LaunchPolicy = LAUNCH_POLICY,
): Decision {
  if (at.stopping) return { verdict: { action: 'stop', code: codeWhenStopping(ending) }, history };
  if (ending.kind === 'exit' && (ending.code === 0 || ending.code === 78)) {
    return { verdict: { action: 'stop', code: ending.code }, history };
  }
  return isPlanned(ending) ? afterPlanned(history, at, policy) : afterCrash(history, at, policy);
}

function isPlanned(ending: Ending): boolean {
  return ending.kind === 'exit' && ending.code === 75;
}

function afterPlanned(history: LaunchHistory, at: Circumstances, policy: LaunchPolicy): Decision {
  if (at.upMs >= policy.plannedMinUpMs) return { verdict: { action: 'restart', delayMs: 0 }, history };
  const uncleanAt = remember(history.uncleanAt, at.nowMs, policy);
  return orGiveUp({ attempt: history.attempt, uncleanAt }, 0, policy);
}

function afterCrash(history: LaunchHistory, at: Circumstances, policy: LaunchPolicy): Decision {
  const attempt = at.upMs >= policy.resetAfterMs ? 0 : history.attempt;
  const uncleanAt = remember(history.uncleanAt, at.nowMs, policy);
  return orGiveUp({ attempt: attempt + 1, uncleanAt }, backoffMs(attempt, at.random, policy), policy);
}

function orGiveUp(history: LaunchHistory, delayMs: number, policy: LaunchPolicy): Decision {
  const uncleanEnds = history.uncleanAt.length;
  if (uncleanEnds > policy.intensity)
    return { verdict: { action: 'give-up', code: 70, uncleanEnds }, history };
  return { verdict: { action: 'restart', delayMs }, history };
}

function remember(uncleanAt: readonly number[], nowMs: number, policy: LaunchPolicy): number[] {
  return [...uncleanAt.filter((ms) => nowMs - ms < policy.periodMs), nowMs];
}

function backoffMs(attempt: number, random: number, policy: LaunchPolicy): number {
  const plain = Math.min(policy.minMs * policy.factor ** attempt, policy.maxMs);
  return Math.round(plain * (1 + random * policy.jitter));
}

/** A child that dies of the signal it was sent, before it could install a handler, has stopped as told. */
function codeWhenStopping(ending: Ending): number {
  if (ending.kind === 'signal') return ending.signal === 'SIGTERM' || ending.signal === 'SIGINT' ? 0 : 70;
  if (ending.kind === 'exit') return ending.code === 75 ? 0 : ending.code;
  return 70;
}

/** The ending in words, for the line that says why. */
export function describeEnding(ending: Ending): string {
  switch (ending.kind) {
    case 'exit':
      return `ended with code ${ending.code}`;
    case 'signal':
      return `was ended by ${ending.signal}`;
    case 'stuck':
      return 'was killed: its heartbeat stopped (a frozen event loop)';
    case 'overran':
      return 'was killed: it did not stop in time';
    case 'unspawnable':
      return `could not be started: ${ending.reason}`;
  }
}

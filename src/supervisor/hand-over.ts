/**
 * What a child's next life is given of the last one. Facts left by `keep` are handed over once. If the life that got
 * them dies young, they may be what kills it: the next life starts clean. If that one dies young as well, the facts are
 * not to blame, and a child that asked for it (`quarantine`) is set aside instead of being tried for ever.
 */
import type { Child, Turn } from './state.ts';

export interface Death {
  /** Within `backoff.resetAfterMs` of its start, else the supervisor's `periodMs`; a failed start always is. */
  readonly young: boolean;
  /** The life that ended was given facts. */
  readonly handed: boolean;
  readonly normal: boolean;
  /** False for an operator's kill: trying whether the tree heals must not lead to quarantine. */
  readonly counted: boolean;
}

export const QUARANTINED =
  'it died young with the facts of the life before, and again when it was started without them';

/** One rung up after a young death, back to the ground after any other; says whether there is a next life at once. */
export function climb(child: Child, { young, handed, normal, counted }: Death): 'restart' | 'quarantine' {
  if (!young) child.probes = 0;
  if (!young || normal) {
    child.suspect = false;
    child.clean = normal;
    return 'restart';
  }
  const quarantine = child.policy.quarantine ?? false;
  const doomed = quarantine && child.suspect && counted;
  if (handed && counted) child.suspect = quarantine;
  child.clean = handed || child.suspect;
  return doomed ? 'quarantine' : 'restart';
}

export function diedYoung(t: Turn, child: Child): boolean {
  return t.now - child.startedAt < (child.policy.backoff?.resetAfterMs ?? t.state.policy.periodMs);
}

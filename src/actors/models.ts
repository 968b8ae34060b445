import type { AnyMachineSnapshot } from 'xstate';
import { profileMachine } from '../machines/profile.ts';
import type { ProfileEvent, ProfileInput } from '../machines/profile.ts';
import type { Candidate } from '../machines/turn.ts';
import type { ChildSpec } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';
import { modelPath } from './paths.ts';

/** The health of one configured provider, as a child of `gateway/core/work/models`. */
export const profileChild = (_deps: Deps, provider: string): ChildSpec => ({
  id: provider,
  logic: profileMachine,
  input: (): ProfileInput => ({ provider }),
  restart: 'permanent',
});

/** The health of a provider. */
export interface ProfileState {
  /** `ready` also when nobody watches over this provider. */
  readonly state: 'ready' | 'cooling' | 'half_open';
  /** Epoch milliseconds; null unless it is cooling. */
  readonly untilAt: number | null;
}

/** What is known of the health of a provider now. */
export function profileState(deps: Pick<Deps, 'registry'>, provider: string): ProfileState {
  const snapshot = deps.registry.peek(modelPath(provider)) as AnyMachineSnapshot | undefined;
  const state = snapshot?.value;
  if (state !== 'cooling') return { state: state === 'half_open' ? 'half_open' : 'ready', untilAt: null };
  return { state, untilAt: snapshot?.context.untilAt ?? null };
}

/** A call's outcome, for all sessions. A provider nobody watches over has no health to keep. */
export function tellProfile(deps: Pick<Deps, 'registry'>, provider: string, event: ProfileEvent): void {
  if (deps.registry.incarnation(modelPath(provider)) !== undefined)
    deps.registry.tell(modelPath(provider), event);
}

/** Cooling ones last, the soonest back first; otherwise as given. None is removed: the last resort is still one. */
export function orderCandidates(deps: Pick<Deps, 'registry'>, candidates: readonly Candidate[]): Candidate[] {
  const until = (candidate: Candidate): number => profileState(deps, candidate.provider).untilAt ?? 0;
  return candidates
    .map((candidate) => ({ candidate, untilAt: until(candidate) }))
    .toSorted((a, b) => a.untilAt - b.untilAt)
    .map(({ candidate }) => candidate);
}

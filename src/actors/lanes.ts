import { withEffects } from '../machines/lane.ts';
import type { LaneInput } from '../machines/lane.ts';
import { LIMITS } from '../machines/limits.ts';
import type { LaneAnswer } from '../machines/session.ts';
import type { ChildSpec, StartContext } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';

/** The bounds of one lane. */
export interface LaneOptions {
  readonly name: string;
  readonly maxConcurrent: number;
  /** Default LIMITS.lanePerQueue. */
  readonly maxQueue?: number;
}

/** A lane as a child of the lanes supervisor. Holders are told by path; one that is gone gives its slot back at once. */
export function laneChild(
  { registry, clock }: Pick<Deps, 'registry' | 'clock'>,
  options: LaneOptions,
): ChildSpec {
  const { name } = options;
  const tell = (holder: string, answer: LaneAnswer): 'sent' | 'noproc' => registry.tell(holder, answer);
  const logic = withEffects({
    grant: ({ holder, ticketId }) => tell(holder, { type: 'lane.granted', ticketId }),
    refuse: ({ holder, ...refusal }) => tell(holder, { type: 'lane.refused', ...refusal }),
    revoke: ({ holder, ...revocation }) => tell(holder, { type: 'lane.revoked', ...revocation }),
  });
  // Asked at every start: the numbers are those in force then.
  const input = ({ incarnation }: StartContext): LaneInput => ({
    name,
    maxConcurrent: options.maxConcurrent,
    maxQueue: options.maxQueue ?? LIMITS.lanePerQueue,
    incarnation,
    atMs: clock.now(),
  });
  return { id: name, logic, input, restart: 'permanent' };
}

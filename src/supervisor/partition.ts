/**
 * Children spread over several supervisors of the same kind, so that a burst of failures in one share is no business of
 * the others: after Elixir's PartitionSupervisor. Each partition is a supervisor of its own, with its own restart log,
 * under one that restarts partitions; only their names are missing from the paths of the children.
 */
import { checkSiblings, checkSpec, type ChildSpec, type SupervisorSpec } from './child-spec.ts';
import { partitionId, partitionOf } from './partition-key.ts';
import type { SupervisorEnv, SupervisorLogic } from './shell.ts';
import { specInvalid, type SpecFault } from './spec-fault.ts';
import { supervisorLogic } from './supervisor.ts';

/** What one partition is: a `one_for_one` supervisor with a count of its own. `maxChildren` bounds its share alone. */
export type PartitionSpec = Pick<
  SupervisorSpec,
  'intensity' | 'periodMs' | 'onExhausted' | 'probeMs' | 'maxChildren'
> & {
  /** Default true, unlike elsewhere: children come and go, and one that has finished is forgotten. */
  readonly dynamic?: boolean;
};

/**
 * A partition that is exhausted takes its own share of the children down, and nobody else's. The supervisor over the
 * partitions starts it anew, with its static children; its dynamic ones are gone, as with any supervisor.
 *
 * Partitions are `one_for_one` and never significant: each must be able to fail without the others.
 */
export interface PartitionedSpec {
  /** How many, 1 to 65,536. One process has one thread, so this is about isolation: how small is the share that falls? */
  readonly partitions: number;
  /** More than `intensity` lost partitions within `periodMs` exhaust the whole. */
  readonly intensity: number;
  readonly periodMs: number;
  /** What becomes of the whole when it is exhausted. `park` leaves the one partition down and keeps the others. */
  readonly onExhausted?: SupervisorSpec['onExhausted'];
  readonly probeMs?: number;
  readonly each: PartitionSpec;
  /**
   * Started with the tree. A list is spread by `partitionKey`, else by id; a function says what the given partition
   * (from 0) starts. Ids are unique among all partitions.
   */
  readonly children?: readonly ChildSpec[] | ((partition: number) => readonly ChildSpec[]);
}

/** Actor logic of the whole; throws SPEC_INVALID naming the field. */
export function partitionedLogic(env: SupervisorEnv, spec: PartitionedSpec): SupervisorLogic {
  refuse(limitsFault(spec));
  const { partitions, intensity, periodMs, onExhausted = 'escalate', probeMs } = spec;
  const whole: SupervisorSpec = {
    strategy: 'one_for_one',
    intensity,
    periodMs,
    onExhausted,
    ...(probeMs === undefined ? {} : { probeMs }),
    // They stop side by side: one after the other, the slowest child of each would be waited for.
    dynamic: true,
    children: sharesOf(spec).map((children, partition) => ({
      id: partitionId(partition),
      logic: supervisorLogic(env, eachOf(spec, children)),
    })),
  };
  return supervisorLogic(env, whole, partitions);
}

const eachOf = ({ each }: PartitionedSpec, children: readonly ChildSpec[]): SupervisorSpec => ({
  dynamic: true,
  ...each,
  strategy: 'one_for_one',
  children,
});

/** The static children of each partition. */
function sharesOf(spec: PartitionedSpec): (readonly ChildSpec[])[] {
  const { partitions, children = [] } = spec;
  const given = typeof children === 'function';
  const lists = given ? Array.from({ length: partitions }, (_, i) => children(i)) : [children];
  for (const list of lists) refuse(checkSpec(eachOf(spec, list)));
  refuse(checkSiblings(lists.flat()));
  if (given) return lists;
  const shares: ChildSpec[][] = Array.from({ length: partitions }, () => []);
  for (const child of lists.flat())
    shares[partitionOf(child.partitionKey ?? child.id, partitions)]!.push(child);
  return shares;
}

type Fault = SpecFault | undefined;
const MOST = 65_536;

function refuse(fault: Fault): void {
  if (fault) throw specInvalid(fault);
}

function limitsFault(spec: PartitionedSpec): Fault {
  if (typeof spec !== 'object' || spec === null) return { field: 'spec', value: spec, expected: 'an object' };
  const { partitions, each, intensity, periodMs, onExhausted, probeMs } = spec;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MOST)
    return { field: 'partitions', value: partitions, expected: `a whole number from 1 to ${MOST}` };
  if (typeof each !== 'object' || each === null)
    return { field: 'each', value: each, expected: 'what one partition is' };
  const whole = { strategy: 'one_for_one', intensity, periodMs, onExhausted, probeMs } as SupervisorSpec;
  const inner = notForPartitions(each) ?? checkSpec(eachOf(spec, []));
  return notForPartitions(spec) ?? checkSpec(whole) ?? (inner && { ...inner, field: `each.${inner.field}` });
}

/** Elixir forbids the first as well: a partition does not decide for the others. */
function notForPartitions(given: object): Fault {
  const { autoShutdown = 'never', strategy = 'one_for_one' } = given as Partial<SupervisorSpec>;
  if (autoShutdown !== 'never')
    return { field: 'autoShutdown', value: autoShutdown, expected: 'never: no partition ends the others' };
  if (strategy !== 'one_for_one')
    return { field: 'strategy', value: strategy, expected: 'one_for_one: partitions fail apart' };
  return undefined;
}

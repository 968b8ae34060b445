import type { AnyStateMachine } from 'xstate';
import { explore } from '../../src/testing/index.ts';
import type { EventCases, ExploreOptions, ExploreReport, Scenario } from '../../src/testing/index.ts';

/** A machine and how it is set on stage, as the test kit has them: what is sent to it is said there alone. */
interface Staging {
  readonly machine: AnyStateMachine;
  readonly scenarios: readonly Scenario[];
}

/** What is claimed of every path; said by the test. */
type Claims = Pick<ExploreOptions<AnyStateMachine>, 'invariant' | 'ignorable' | 'unreachable'>;

export function scenarioOf({ scenarios }: Staging, name: string): Scenario {
  const found = scenarios.find((one) => one.name === name);
  if (!found)
    throw new Error(`there is no scenario "${name}"; there are: ${scenarios.map((one) => one.name)}`);
  return found;
}

/** All states of a machine of ours in one of its scenarios. */
export function explored(staging: Staging, name: string, claims: Claims): ExploreReport {
  const {
    input,
    events,
    examples = [],
    outputs,
    errors,
    serialize,
    stopWhen,
  } = scenarioOf(staging, name).options;
  return explore(staging.machine, {
    input,
    events: listed(events ?? examples),
    ...(outputs && { outputs }),
    ...(errors && { errors }),
    ...(serialize && { serialize }),
    ...(stopWhen && { stopWhen }),
    ...claims,
  });
}

const listed = (events: EventCases): ExploreOptions<AnyStateMachine>['events'] =>
  typeof events === 'function' || Array.isArray(events) ? events : Object.values(events);

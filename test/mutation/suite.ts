import type { AnyStateMachine } from 'xstate';
import { generate, replayLive } from '../../src/testing/index.ts';
import type { Budget, Path } from '../../src/testing/index.ts';
import type { Scenario, Shipped } from '../../src/testing/scenario.ts';
import { furtherScenarios } from './further.ts';
import { firstPart } from './lockstep.ts';
import { attempt, type Mutant } from './mutant.ts';

/** What finds a fault, from cheap to dear. */
export const STAGES = ['near edges', 'edges', 'shortest', 'every step'] as const;
export type Stage = (typeof STAGES)[number];

/** Most faults show near the start: a part of the map is enough for them, and made in no time. */
const NEARBY: Budget = { states: 400, transitions: 8_000 };

export interface Caught {
  readonly by: Stage;
  readonly reason: string;
}

/** The generated tests of a machine as it should be. Made when they are first needed. */
export interface Suite {
  /** What shows the fault; undefined when nothing does. */
  catches(mutant: Mutant, stages?: readonly Stage[]): Caught | undefined;
}

/** The texts of stacks depend on who made an error. Nothing here looks at them. */
function withoutStacks<T>(run: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

export function suiteOf(shipped: Shipped): Suite {
  const { machine } = shipped;
  const scenarios = [...shipped.scenarios, ...furtherScenarios(shipped)];
  const made = new Map<string, readonly Path[]>();
  const pathsOf = (
    scenario: Scenario,
    strategy: 'edges' | 'shortest',
    budget: Budget = {},
  ): readonly Path[] => {
    const key = JSON.stringify([strategy, scenario.name, budget]);
    const known = made.get(key);
    if (known) return known;
    const options = { ...scenario.options, strategy, budget, expect: { actions: 'params' } } as const;
    const { paths } = generate(machine, options);
    made.set(key, paths);
    return paths;
  };
  const inScenario = (stage: Stage, mutant: AnyStateMachine, scenario: Scenario): string | undefined => {
    if (stage === 'every step') return firstPart(machine, mutant, scenario.options);
    const paths = stage === 'near edges' ? pathsOf(scenario, 'edges', NEARBY) : pathsOf(scenario, stage);
    return firstMismatch(mutant, paths, scenario);
  };
  const inAny = (look: (scenario: Scenario) => string | undefined): string | undefined => {
    for (const scenario of scenarios) {
      const reason = look(scenario);
      if (reason !== undefined) return `${scenario.name}: ${reason}`;
    }
    return undefined;
  };
  const shown = (stage: Stage, mutant: AnyStateMachine): string | undefined =>
    inAny((scenario) => inScenario(stage, mutant, scenario));
  return {
    catches: (mutant, stages = STAGES) =>
      withoutStacks(() => {
        const [first] = stages;
        const built = attempt(() => mutant.build());
        if ('refused' in built) return first && { by: first, reason: built.refused };
        for (const by of stages) {
          const reason = shown(by, built.value);
          if (reason !== undefined) return { by, reason };
        }
        return undefined;
      }),
  };
}

function firstMismatch(
  mutant: AnyStateMachine,
  paths: readonly Path[],
  { options }: Scenario,
): string | undefined {
  for (const path of paths) {
    const replayed = attempt(() => replayLive(mutant, path, options));
    if ('refused' in replayed) return replayed.refused;
    const { mismatch } = replayed.value;
    if (mismatch) return `step ${mismatch.step} of ${path.name}: ${mismatch.reasons.join('; ')}`;
  }
  return undefined;
}

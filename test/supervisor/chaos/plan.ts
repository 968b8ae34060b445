/** What a chaotic tree is made of, and what is done to it: data only, so that a failing run shrinks. */
import * as fc from 'fast-check';
import type { Restart, Shutdown, Strategy } from '../../../src/supervisor/index.ts';

/** What is wrong with a child. Masks have a bit for each of its starts, the ninth being the first again. */
export interface Traits {
  /** Machines invoked in machines, each with a resource. */
  readonly depth: 0 | 1 | 2 | 3;
  /** Its machines start a failed inner one anew, instead of failing with it. */
  readonly heals: boolean;
  readonly disposer: 'none' | 'sync' | 'slow' | 'rejects' | 'throws' | 'never';
  readonly onStop: 'down' | 'late' | 'hang' | 'throws' | 'deaf' | 'error';
  readonly cleanupThrows: boolean;
  readonly failsAt: number;
  readonly ignoresAt: number;
  readonly inputThrowsAt: number;
  readonly keeps: boolean;
}

export interface WorkerPlan {
  readonly kind: 'worker';
  readonly restart: Restart;
  readonly significant: boolean;
  readonly shutdown: Shutdown;
  readonly backoff: boolean;
  readonly quarantine: boolean;
  readonly traits: Traits;
}

export interface SupervisorPlan {
  readonly kind: 'supervisor';
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly periodMs: number;
  readonly autoShutdown: 'never' | 'any_significant' | 'all_significant';
  readonly park: boolean;
  readonly shape: 'static' | 'dynamic' | 'partitioned';
  readonly restart: Restart;
  readonly shutdown: Shutdown;
  readonly children: readonly (SupervisorPlan | WorkerPlan)[];
}

export const OPS = [
  'noop',
  'stash',
  'crash',
  'crash deep',
  'finish',
  'leave',
  'fail',
  'kill',
  'kill counted',
  'start',
  'terminate_child',
  'restart_child',
  'delete_child',
  'park',
  'unpark',
  'hold',
  'release',
  'change',
  'suspend',
  'resume',
  'trace',
  'untrace',
  'watch',
  'advance',
  'shutdown',
] as const;

export interface Op {
  readonly do: (typeof OPS)[number];
  readonly at: number;
  readonly id: number;
  readonly ms: number;
  readonly worker: WorkerPlan;
  /** Where it is done: between the turns, or in the middle of one. */
  readonly from: 'outside' | 'action' | 'report' | 'disposer' | 'watcher' | 'trace' | 'letter' | 'input';
}

export interface Plan {
  readonly root: SupervisorPlan;
  readonly ops: readonly Op[];
}

const seldom = fc.integer({ min: 0, max: 5 }).map((n) => n === 0);
const mask = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);
const restart: fc.Arbitrary<Restart> = fc.constantFrom('permanent', 'permanent', 'transient', 'temporary');

const traits: fc.Arbitrary<Traits> = fc.record({
  depth: fc.constantFrom(0, 0, 1, 2, 3),
  heals: fc.boolean(),
  disposer: fc.constantFrom('sync', 'sync', 'none', 'slow', 'rejects', 'throws', 'never'),
  onStop: fc.constantFrom('down', 'down', 'late', 'late', 'hang', 'throws', 'deaf', 'error'),
  cleanupThrows: seldom,
  failsAt: mask,
  ignoresAt: mask,
  inputThrowsAt: mask,
  keeps: fc.boolean(),
});

const worker: fc.Arbitrary<WorkerPlan> = fc
  .record({
    kind: fc.constant('worker' as const),
    restart,
    significant: fc.boolean(),
    shutdown: fc.constantFrom<Shutdown>(20, 100, 'brutal', 'infinity'),
    backoff: fc.boolean(),
    quarantine: fc.boolean(),
    traits,
  })
  .map((plan) => {
    // Nobody waits without end for what never ends.
    const endless = plan.traits.disposer === 'never' || plan.traits.onStop === 'hang';
    return endless && plan.shutdown === 'infinity' ? { ...plan, shutdown: 100 } : plan;
  });

const flags = {
  kind: fc.constant('supervisor' as const),
  strategy: fc.constantFrom<Strategy>('one_for_one', 'one_for_all', 'rest_for_one'),
  // Many trees must live through many deaths.
  intensity: fc.constantFrom(0, 1, 3, 20, 20),
  periodMs: fc.constantFrom(50, 1_000),
  autoShutdown: fc.constantFrom('never', 'never', 'any_significant', 'all_significant'),
  park: fc.boolean(),
  shape: fc.constantFrom('static', 'static', 'dynamic', 'partitioned'),
  restart,
  shutdown: fc.constantFrom<Shutdown>('infinity', 'infinity', 500, 'brutal'),
} as const;

const supervisorOf = (depth: number): fc.Arbitrary<SupervisorPlan> =>
  fc.record({
    ...flags,
    children: fc.array(
      depth === 0
        ? worker
        : fc.oneof(
            { weight: 3, arbitrary: worker },
            { weight: 2, arbitrary: supervisorOf(depth - 1) as fc.Arbitrary<SupervisorPlan | WorkerPlan> },
          ),
      { maxLength: 5 },
    ),
  }) as fc.Arbitrary<SupervisorPlan>;

const OFTEN = [
  'crash',
  'crash',
  'crash',
  'advance',
  'kill counted',
  'start',
  'terminate_child',
  'restart_child',
] as const;

const op: fc.Arbitrary<Op> = fc.record({
  do: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...OPS.filter((name) => name !== 'shutdown')) },
    { weight: 3, arbitrary: fc.constantFrom(...OFTEN) },
    { weight: 1, arbitrary: fc.constantFrom(...OPS) },
  ) as fc.Arbitrary<Op['do']>,
  at: fc.nat({ max: 30 }),
  id: fc.nat({ max: 6 }),
  ms: fc.constantFrom(0, 1, 10, 30, 60, 120, 1_000, 5_000),
  worker,
  from: fc.oneof(
    { weight: 3, arbitrary: fc.constant('outside' as const) },
    {
      weight: 4,
      arbitrary: fc.constantFrom('action', 'report', 'disposer', 'watcher', 'trace', 'letter', 'input'),
    },
  ),
});

export const plans: fc.Arbitrary<Plan> = fc.record({
  root: supervisorOf(2),
  ops: fc.array(op, { minLength: 1, maxLength: 40, size: 'max' }),
});

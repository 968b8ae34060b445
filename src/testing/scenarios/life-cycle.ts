import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { lifeCycle } from '../../supervisor/index.ts';
import { stateName } from '../paths.ts';
import { scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

type Input = lifeCycle.LifeCycleInput;
type LifeEvent = lifeCycle.LifeCycleEvent;
const { examples, lifeCycleMachine } = lifeCycle;

const of = (pattern: RegExp): readonly LifeEvent[] => examples.filter(({ type }) => pattern.test(type));
const OUTCOMES = of(/started|ignored|start_failed/);
const REQUESTS = of(/^child\.(start|restart|terminate|delete|park|unpark|kill)$|^supervisor/);
const WINDOW = of(/window/);
const EXITS = of(/exited/);
/** What may happen there beside requests. */
const HAPPENS: Readonly<Record<string, readonly LifeEvent[]>> = {
  absent: WINDOW,
  stopped: WINDOW,
  running: [...EXITS, ...WINDOW],
  'stopping.terminating': [...EXITS, ...of(/deadline/)],
  'stopping.parking': [...EXITS, ...of(/deadline/)],
  'stopping.ending': [...EXITS, ...of(/deadline/)],
  'backing-off': of(/backoff/),
  'parked.held': WINDOW,
  'parked.probing': of(/probe/),
};

const events = (snapshot: AnyMachineSnapshot): readonly LifeEvent[] => {
  const name = stateName(snapshot);
  return name.startsWith('starting') ? OUTCOMES : [...REQUESTS, ...(HAPPENS[name] ?? [])];
};

const base: Input = {
  restart: 'permanent',
  significant: false,
  onExhausted: 'escalate',
  intensity: 1,
  dynamic: false,
  listed: true,
};
const life = (changes: Partial<Input>) => ({
  input: { ...base, ...changes },
  events,
  serialize: ({ value, context }: AnyMachineSnapshot) =>
    JSON.stringify([value, context.counted, Math.min(context.incarnation as number, 2)]),
});

export const machine: AnyStateMachine = lifeCycleMachine;
export const scenarios: readonly Scenario[] = [
  scenario(lifeCycleMachine, 'a permanent child', life({})),
  scenario(lifeCycleMachine, 'a transient child', life({ restart: 'transient', onExhausted: 'park' })),
  scenario(lifeCycleMachine, 'a temporary child', life({ restart: 'temporary' })),
  scenario(lifeCycleMachine, 'a child under a dynamic supervisor', life({ listed: false, dynamic: true })),
  scenario(
    lifeCycleMachine,
    'a child that is parked when it crashes',
    life({ intensity: 0, onExhausted: 'park' }),
  ),
  scenario(lifeCycleMachine, 'a significant child', life({ restart: 'transient', significant: true })),
  scenario(
    lifeCycleMachine,
    'a significant temporary child',
    life({ restart: 'temporary', significant: true, onExhausted: 'park' }),
  ),
  scenario(lifeCycleMachine, 'a child that was added later', life({ listed: false })),
];

import { describe, expect, it } from 'vitest';
import { transition, type AnyMachineSnapshot } from 'xstate';
import { lifeCycle } from '../../src/supervisor/index.ts';
import { explore, stateName } from '../../src/testing/index.ts';
import { firstDifference } from './child-life.ts';

type Input = lifeCycle.LifeCycleInput;
type LifeEvent = lifeCycle.LifeCycleEvent;

const { examples, lifeCycleMachine } = lifeCycle;

const of = (pattern: RegExp): readonly LifeEvent[] => examples.filter(({ type }) => pattern.test(type));
const OUTCOMES = of(/started|ignored|start_failed/);
const REQUESTS = of(/^child\.(start|restart|terminate|delete|park|unpark|kill)$|^supervisor/);
const WINDOW = of(/window/);
const EXITS = of(/exited/);
/** What may happen there beside requests. A stopping child's time runs towards its deadline, a waiting one's to its start. */
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

const possible = (snapshot: AnyMachineSnapshot): readonly LifeEvent[] => {
  const name = stateName(snapshot);
  return name.startsWith('starting') ? OUTCOMES : [...REQUESTS, ...HAPPENS[name]!];
};

const exploring = (input: Input) =>
  explore(lifeCycleMachine, {
    input,
    events: possible,
    serialize: ({ value, context }) =>
      JSON.stringify([value, context.counted, Math.min(context.incarnation, 2)]),
    invariant: ({ context, status }, event, before, effects) => {
      if (context.counted > context.intensity + 1) return 'counts for ever';
      const lives = context.incarnation - before.context.incarnation;
      if (lives > 1) return 'two lives at once';
      if (context.restarts > 0 && context.restarts > context.incarnation) return 'more restarts than lives';
      const answers = effects.filter(({ type }) => type === 'xstate.emit').length;
      return answers > 2 || (status === 'active' && answers > 0 && event.type === 'window.passed')
        ? `${answers} answers to one request`
        : undefined;
    },
  });

const base: Input = {
  restart: 'permanent',
  significant: false,
  onExhausted: 'escalate',
  intensity: 1,
  dynamic: false,
  listed: true,
};
const lives: readonly Input[] = [
  ...(['permanent', 'transient', 'temporary'] as const).flatMap((restart) =>
    (['escalate', 'park'] as const).flatMap((onExhausted) => [
      { ...base, restart, onExhausted },
      { ...base, restart, onExhausted, listed: false, dynamic: onExhausted === 'park' },
    ]),
  ),
  { ...base, restart: 'transient', listed: false, onExhausted: 'park' },
  { ...base, listed: false, dynamic: true },
  { ...base, intensity: 0, onExhausted: 'park' },
  { ...base, restart: 'transient', significant: true },
  { ...base, restart: 'temporary', significant: true, onExhausted: 'park' },
];
const explored = lives.map((input) => ({ input, report: exploring(input) }));

const nameOf = ({ restart, onExhausted, dynamic, listed, significant, intensity }: Input): string =>
  [
    ...(significant ? ['significant'] : []),
    restart,
    dynamic ? 'dynamic' : listed ? 'listed' : 'added',
    `${onExhausted} above ${intensity}`,
  ].join(', ');

/** The next step towards the next crash: what is counted and who comes back shows only then. */
const ONWARDS: Readonly<Record<string, LifeEvent>> = {
  absent: { type: 'child.start' },
  stopped: { type: 'child.restart' },
  starting: { type: 'child.started' },
  running: { type: 'child.exited', reason: 'error' },
  stopping: { type: 'child.exited', reason: 'normal' },
  'backing-off': { type: 'backoff.elapsed' },
  'parked.held': { type: 'child.unpark' },
  'parked.probing': { type: 'probe.due' },
};
const ONWARD_STEPS = 7;

function onwards(state: AnyMachineSnapshot, steps = ONWARD_STEPS): LifeEvent[] {
  if (state.status !== 'active' || steps === 0) return [];
  const name = stateName(state);
  const event = (ONWARDS[name] ?? ONWARDS[name.split('.')[0]!])!;
  return [event, ...onwards(after(state, event), steps - 1)];
}

const after = (state: AnyMachineSnapshot, event: LifeEvent): AnyMachineSnapshot =>
  transition(lifeCycleMachine, state as never, event)[0] as AnyMachineSnapshot;

/** Leads nowhere: a refused request. What it is answered is compared all the same. */
const stays = (state: AnyMachineSnapshot, event: LifeEvent): boolean => {
  const { value, context } = after(state, event);
  return JSON.stringify([value, context]) === JSON.stringify([state.value, state.context]);
};

/** The way to every state, from there every step that is possible (those that lead nowhere in one go), and on from it. */
const walks = ({ report }: (typeof explored)[number]): LifeEvent[][] =>
  report.paths.flatMap(({ state, steps }) => {
    const way = steps.map(({ event }) => event as LifeEvent);
    if (state.status !== 'active') return [way];
    const still = possible(state).filter((event) => stays(state, event));
    const moves = possible(state).filter((event) => !still.includes(event));
    return [
      [...way, ...still, ...onwards(state)],
      ...moves.map((event) => [...way, event, ...onwards(after(state, event))]),
    ];
  });

describe('the life of a child, on every path', () => {
  it('takes every transition, every guard both ways, and leaves no event unhandled', () => {
    const [first, ...others] = explored.map(({ report }) => report.transitions.missed);
    const missed = first!.filter((name) => others.every((names) => names.includes(name)));
    expect(missed).toEqual([]);
    expect(explored.flatMap(({ report }) => [...report.unhandled, ...report.violations])).toEqual([]);
  });

  it('can end in each of its three ways, and be up again from everywhere else', () => {
    const values = new Set(
      explored.flatMap(({ report }) => report.paths.map(({ state }) => stateName(state))),
    );
    expect([...values]).toEqual(
      expect.arrayContaining([
        'shut_down',
        'given_up',
        'aborted',
        'running',
        'parked.probing',
        'backing-off',
      ]),
    );
  });
});

describe('a real child under a real supervisor lives as the model says', () => {
  it.each(explored.map((one) => [nameOf(one.input), one] as const))('%s', (_, one) => {
    const all = walks(one);
    expect(all.length).toBeGreaterThan(30);
    expect(all.flatMap((events) => firstDifference(lifeCycleMachine, one.input, events) ?? [])).toEqual([]);
  });

  it.each([
    ['who is forgotten', lifeCycleMachine.provide({ guards: { isForgotten: () => false } })],
    ['who comes back', lifeCycleMachine.provide({ guards: { isOver: () => false } })],
    ['when it is too much', lifeCycleMachine.provide({ guards: { givesUp: () => false } })],
    ['what a request is answered', lifeCycleMachine.provide({ actions: { answer: () => undefined } })],
    ['how often it was restarted', lifeCycleMachine.provide({ actions: { schedule: () => undefined } })],
    ['a quiet time', lifeCycleMachine.provide({ actions: { quieten: () => undefined } })],
  ] as const)('and a model that is wrong about %s is found out', (_, wrong) => {
    const found = explored.some((one) =>
      walks(one).some((events) => firstDifference(wrong, one.input, events) !== undefined),
    );
    expect(found).toBe(true);
  });
});

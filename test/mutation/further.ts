import type { AnyEventObject, AnyMachineSnapshot } from 'xstate';
import { LIMITS } from '../../src/machines/limits.ts';
import type { GenerateOptions } from '../../src/testing/index.ts';
import type { Scenario, Shipped } from '../../src/testing/scenario.ts';

type Events = readonly AnyEventObject[];
const eventsOf = ({ events, examples }: GenerateOptions, snapshot: AnyMachineSnapshot): Events => {
  const given = events ?? examples ?? [];
  if (typeof given === 'function') return given(snapshot);
  return Array.isArray(given) ? (given as Events) : Object.values(given);
};
/** The same scenario with events changed, left out or added. */
const withEvents = (scenario: Scenario, name: string, change: (events: Events) => Events): Scenario => ({
  name,
  options: { ...scenario.options, events: (snapshot) => change(eventsOf(scenario.options, snapshot)) },
});

const hurried = (scenario: Scenario): Scenario =>
  withEvents(scenario, `${scenario.name}, told to stop in a hurry`, (events) =>
    events.map((event) => (event.type === 'supervisor.shutdown' ? { ...event, deadlineMs: 1_000 } : event)),
  );

/** One more call of a model and the run has spent all it may; and answers take their time. */
function lastCall(scenario: Scenario): Scenario {
  const { outputs = {} } = scenario.options;
  const [fresh, handOver, , , , noTools] = outputs['prepare'] as readonly object[];
  const resume = {
    messages: [],
    attempts: LIMITS.modelCallsPerRun - 1,
    toolCalls: 0,
    usage: null,
    repeats: 0,
  };
  const prepare = [{ ...fresh, resume }, { ...handOver, resume }, noTools];
  const slow = withEvents(scenario, `${scenario.name}, with one slow call of a model left`, (events) =>
    events.map((event) =>
      event.type === 'model.finished' ? { ...event, atMs: (event['atMs'] as number) + 1 } : event,
    ),
  );
  return { ...slow, options: { ...slow.options, outputs: { ...outputs, prepare } } };
}

/** Every ticket asks at its own time. */
function later(event: AnyEventObject): AnyEventObject {
  if (event.type === 'lane.release') return { ...event, atMs: 1_250 };
  const at: Readonly<Record<string, number>> = { t2: 1_100, t3: 1_200 };
  return event.type === 'lane.request' ? { ...event, atMs: at[String(event['ticketId'])] ?? 1_000 } : event;
}

interface Beat {
  readonly atMs: number;
  readonly dueAt: number;
  readonly everyMs: number;
}
/** Not only at the times that are due: a moment later, too. */
function oddly(events: Events, { context }: AnyMachineSnapshot): Events {
  const atMs = (context as Beat).atMs + 1_000;
  const told = events.filter((event) => event.type === 'heartbeat.set').map((event) => ({ ...event, atMs }));
  return [...events, ...told, { type: 'clock.tick', atMs }];
}
const soon = ({ context }: AnyMachineSnapshot): boolean => {
  const { atMs, dueAt, everyMs } = context as Beat;
  return atMs % everyMs > 2_000 || dueAt > 2 * everyMs;
};

/** Each abort comes a moment after whatever came before. */
const abortedLater = (events: Events, { context }: AnyMachineSnapshot): Events =>
  events.map((event) =>
    event.type === 'run.abort' ? { ...event, atMs: (context as { nowMs: number }).nowMs + 500 } : event,
  );

/** Cases that tell apart what the scenarios of the kit do not: values that change something, seen at other times. */
const FURTHER: Readonly<Record<string, (first: Scenario, all: readonly Scenario[]) => readonly Scenario[]>> =
  {
    gate: (first) => [
      withEvents(first, 'a gate that is closed twice, for two reasons', (events) => [
        ...events,
        { type: 'gate.close', reason: 'another reason', atMs: 2_000 },
      ]),
    ],
    ingress: (first) => [hurried(first)],
    outbox: (first) => [hurried(first)],
    lane: (_first, all) =>
      all.map((one) => withEvents(one, `${one.name}, each a moment later`, (events) => events.map(later))),
    heartbeat: (first) => [
      {
        name: `${first.name}, told something at odd times`,
        options: {
          ...first.options,
          events: (snapshot) => oddly(eventsOf(first.options, snapshot), snapshot),
          stopWhen: soon,
        },
      },
    ],
    run: (first) => [lastCall(first)],
    session: (first) => [
      {
        name: `${first.name}, aborted a moment later`,
        options: {
          ...first.options,
          events: (snapshot) => abortedLater(eventsOf(first.options, snapshot), snapshot),
        },
      },
    ],
  };

/** Scenarios beside those the kit brings, for faults that no path of theirs can show. */
export const furtherScenarios = ({
  name,
  scenarios,
}: Pick<Shipped, 'name' | 'scenarios'>): readonly Scenario[] => {
  const [first] = scenarios;
  return first ? (FURTHER[name]?.(first, scenarios) ?? []) : [];
};

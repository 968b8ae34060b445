import { createActor, setup, type AnyActorLogic } from 'xstate';
import {
  lifeCycle,
  type AdminCommand,
  type ChildSpec,
  type ExitReason,
  type Reply,
  type SupervisorSpec,
} from '../../src/supervisor/index.ts';
import { createLab } from '../supervisor/lab.ts';

type Input = lifeCycle.LifeCycleInput;
type LifeEvent = lifeCycle.LifeCycleEvent;
export type LifeMachine = typeof lifeCycle.lifeCycleMachine;

/** What can be seen of a child from outside, of the model and of the real one alike. */
export interface Seen {
  readonly status: string;
  readonly incarnation: number;
  readonly restarts: number;
}

/** Apart by so much that no path of the model lets two of them meet. */
const SHUTDOWN_MS = 5;
const BACKOFF = { minMs: 10, maxMs: 10, factor: 1, jitter: 0, resetAfterMs: 1e12 };
const PERIOD_MS = 100_000;
const PROBE_MS = 1_000_000;
const OUTCOMES: ReadonlySet<string> = new Set(['child.started', 'child.ignored', 'child.start_failed']);
const ENDED = { incarnation: 0, restarts: 0 };

/** Of the one child that lives at a time: how its starts end, and who looks around at each of them. */
const stage = { outcome: 'child.started', look: (): void => undefined };

/** Starts as it is told to, ends or crashes when it is told to, and waits for that also when it is being stopped. */
const puppet = setup({
  types: {
    events: {} as { type: string; reason?: ExitReason },
  },
  actions: {
    began: () => {
      if (stage.outcome === 'child.start_failed') throw new Error('it cannot start');
    },
    crash: () => {
      throw new Error('it crashed');
    },
  },
  guards: {
    isIgnored: () => {
      stage.look();
      return stage.outcome === 'child.ignored';
    },
  },
}).createMachine({
  initial: 'born',
  states: {
    born: { always: [{ guard: 'isIgnored', target: 'over' }, { target: 'up' }] },
    up: {
      entry: 'began',
      on: { 'supervisor.shutdown': 'closing', crash: { actions: 'crash' }, end: 'over' },
    },
    closing: { on: { crash: { actions: 'crash' }, end: 'over' } },
    over: { type: 'final', output: ({ event }) => ({ exit: event.reason ?? 'normal' }) },
  },
  output: ({ event }) => (event as unknown as { output: unknown }).output,
}) as AnyActorLogic;

/** One child under a real supervisor on a simulated clock, driven by the words of the model. */
function realChild(input: Input) {
  const lab = createLab();
  const answers: string[] = [];
  const begun: Seen[] = [];
  stage.look = () => void begun.push(look());
  const { restart, significant, dynamic, intensity, onExhausted, listed } = input;
  const spec: ChildSpec = {
    id: 'c',
    logic: puppet,
    restart,
    significant,
    shutdown: SHUTDOWN_MS,
    backoff: BACKOFF,
  };
  const supervisor: Partial<SupervisorSpec> = {
    ...{ dynamic, intensity, onExhausted, periodMs: PERIOD_MS, probeMs: PROBE_MS },
    ...(significant ? { autoShutdown: 'any_significant' } : {}),
  };
  let root: ReturnType<typeof lab.start>['root'] | undefined;

  function look(): Seen {
    const snapshot = root?.getSnapshot();
    if (snapshot?.status === 'error') return { ...ENDED, status: 'aborted' };
    if (snapshot?.status === 'done')
      return { ...ENDED, status: snapshot.output.error ? 'given_up' : 'shut_down' };
    if (!lab.supervision.whichChildren('top').some(({ id }) => id === 'c'))
      return { ...ENDED, status: 'absent' };
    const shown = lab.registry.tree().children.find(({ id }) => id === 'c');
    const { incarnation, restarts } = lab.registry.node('top/c')!;
    return { status: shown?.status ?? 'stopped', incarnation, restarts };
  }

  const reply = (given: Reply): void => void answers.push(given.ok ? 'ok' : given.reason);
  const ask = (command: AdminCommand): void => root!.send({ type: 'supervisor.admin', command, reply });
  const end = (reason: ExitReason): void =>
    void lab.registry.tell(
      'top/c',
      reason === 'error' ? { type: 'crash' } : ({ type: 'end', reason } as never),
    );
  /** How long it said, the last time, that it would wait. */
  const waitMs = (): number =>
    lab.reports
      .flatMap(({ body }) =>
        body.type === 'parked' ? [body.probeMs] : body.type === 'restart_scheduled' ? [body.delayMs] : [],
      )
      .at(-1)!;

  const perform = (event: LifeEvent): void => {
    switch (event.type) {
      case 'child.start':
        return ask({ type: 'start_child', spec });
      case 'child.restart':
      case 'child.terminate':
      case 'child.delete':
        return ask({ type: `${event.type.slice('child.'.length)}_child` as 'delete_child', id: 'c' });
      case 'child.park':
      case 'child.unpark':
        return ask({ type: event.type.slice('child.'.length) as 'park', id: 'c' });
      case 'child.kill':
        return ask({ type: 'kill', id: 'c', counted: event.counted, by: 'test' });
      case 'supervisor.shutdown':
        return root!.send(event);
      case 'child.exited':
        return end(event.reason);
      case 'deadline.passed':
        return lab.clock.advance(SHUTDOWN_MS);
      case 'backoff.elapsed':
      case 'probe.due':
        return lab.clock.advance(waitMs());
      case 'window.passed':
        return lab.clock.advance(PERIOD_MS + 1);
      default:
        throw new Error(`${event.type} is what the real child answers, not what is done to it`);
    }
  };

  return {
    /** Every start until the next plan ends so. */
    plan: (next: string) => (stage.outcome = next),
    boot: () => {
      ({ root } = lab.start({ ...supervisor, children: listed ? [spec] : [] }));
    },
    perform,
    look,
    begun: () => begun.at(-1),
    takeAnswers: () => answers.splice(0),
  };
}

function modelChild(machine: LifeMachine, input: Input) {
  const answers: string[] = [];
  const actor = createActor(machine, { input });
  actor.subscribe({ error: () => undefined });
  actor.on('child.answered', ({ answer }) => answers.push(answer));
  actor.start();
  return {
    send: (event: LifeEvent) => actor.send(event),
    look(): Seen {
      const { value, status, context } = actor.getSnapshot();
      const name = typeof value === 'string' ? value : Object.keys(value)[0]!;
      if (status !== 'active' || name === 'absent') return { ...ENDED, status: name };
      return { status: name, incarnation: context.incarnation, restarts: context.restarts };
    },
    takeAnswers: () => answers.splice(0),
  };
}

/** Lives the same life twice, in the model and under a real supervisor; where they part first, or undefined. */
export function firstDifference(
  machine: LifeMachine,
  input: Input,
  events: readonly LifeEvent[],
): string | undefined {
  const real = realChild(input);
  const model = modelChild(machine, input);
  const at = (index: number): string =>
    `after ${['its beginning', ...events.map((event) => JSON.stringify(event))].slice(0, index + 2).join(', ')}`;
  const planned = (index: number): LifeEvent => {
    const next = events[index + 1];
    return next && OUTCOMES.has(next.type) ? next : { type: 'child.started' };
  };
  const compare = (index: number): string | undefined => {
    const starting = model.look().status === 'starting';
    const difference =
      differ(model.look(), starting ? real.begun() : real.look()) ??
      (starting ? undefined : differ(model.takeAnswers(), real.takeAnswers()));
    return difference && `${at(index)}: ${difference}`;
  };
  /** A path may end in the middle of a start; the real one is over by then. */
  const settle = (index: number): string | undefined => {
    if (model.look().status !== 'starting' || index < events.length - 1) return undefined;
    model.send(planned(index));
    return compare(index);
  };

  real.plan(planned(-1).type);
  real.boot();
  let found = compare(-1) ?? settle(-1);
  for (const [index, event] of events.entries()) {
    if (found) return found;
    if (!OUTCOMES.has(event.type)) {
      real.plan(planned(index).type);
      real.perform(event);
    }
    model.send(event);
    found = compare(index) ?? settle(index);
  }
  return found;
}

function differ(model: unknown, real: unknown): string | undefined {
  const [said, seen] = [JSON.stringify(model), JSON.stringify(real)];
  return said === seen ? undefined : `the model says ${said}, the supervisor ${seen}`;
}

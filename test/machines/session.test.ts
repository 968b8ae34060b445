import { assign, createActor, fromCallback, fromPromise, setup, type AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import { CoppiceError } from '../../src/errors.ts';
import {
  examples,
  sessionMachine,
  withEffects,
  type Change,
  type Changed,
  type Loaded,
  type LoadInput,
  type SessionAnswer,
  type SessionEvent,
  type SessionInput,
  type SessionSignal,
  type Settled,
  type Settlement,
  type TicketInput,
} from '../../src/machines/session.ts';
import { initialSession } from '../../src/machines/session-state.ts';
import type { RunInput, RunOutput, TurnMessage } from '../../src/machines/turn.ts';
import { createSimulatedClock, stateName } from '../../src/testing/index.ts';

const said = {
  messages: [{ role: 'assistant', content: [{ type: 'text', text: 'done' }] }],
  text: 'done',
  usage: null,
  attempts: 1,
  toolCalls: 0,
} as const;
const ok: RunOutput = { ...said, status: 'ok', stopReason: 'stop' };
const undecided: RunOutput = {
  ...said,
  status: 'undecided',
  question: 'Send it again?',
  toolCallId: 'c1',
  toolName: 'mail',
};

/** A run that does what the test tells it. */
const puppet = setup({
  types: {
    context: {} as { input: RunInput; output: RunOutput | null },
    input: {} as RunInput,
    output: {} as RunOutput,
    events: {} as { type: 'end'; output: RunOutput } | { type: 'crash' } | { type: 'run.abort' },
  },
}).createMachine({
  context: ({ input }) => ({ input, output: null }),
  initial: 'going',
  states: {
    going: {
      on: {
        end: { target: 'over', actions: assign({ output: ({ event }) => event.output }) },
        crash: {
          actions: () => {
            throw new Error('boom');
          },
        },
        'run.abort': {},
      },
    },
    over: { type: 'final' },
  },
  output: ({ context }) => context.output ?? ok,
});

const message = (n: number, more: Partial<TurnMessage> = {}): TurnMessage => ({
  ...examples['message.queued'].message,
  messageId: `m${n}`,
  runId: `r${n}`,
  text: `text ${n}`,
  receivedAt: n * 1_000,
  ...more,
});
const input: SessionInput = {
  sessionKey: 'k',
  path: 'sessions/k',
  incarnation: 1,
  agentId: 'main',
  lane: 'main',
  maxQueue: 3,
  idleMs: 60_000,
  turnTimeoutMs: 600_000,
  atMs: 0,
};

interface Script {
  readonly inbox: TurnMessage[];
  load(): Promise<void>;
  settle(settlement: Settlement): Promise<void>;
  change(change: Change): Promise<void>;
  grants: boolean;
}

async function start(script: Partial<Script> = {}, over: Partial<SessionInput> = {}) {
  const clock = createSimulatedClock(10_000);
  const commits: Settlement[] = [];
  const [answers, signals, facts]: [SessionAnswer[], SessionSignal[], AnyEventObject[]] = [[], [], []];
  const tickets = { live: 0, taken: 0 };
  const runs: RunInput[] = [];
  const inbox = script.inbox ?? [];
  const actor = createActor(
    withEffects({
      load: fromPromise<Loaded, LoadInput>(async ({ input: { maxQueue } }) => {
        await script.load?.();
        return {
          sessionId: 's1',
          pending: inbox.slice(0, maxQueue),
          more: inbox.length > maxQueue,
          atMs: clock.now(),
        };
      }),
      settle: fromPromise<Settled, Settlement>(async ({ input: settlement }) => {
        await script.settle?.(settlement);
        commits.push(settlement);
        const messageIds = settlement.messages.map(({ messageId }) => messageId);
        if (settlement.kind !== 'question')
          for (const id of messageIds) inbox.splice(inbox.findIndex((row) => row.messageId === id) >>> 0, 1);
        return { atMs: clock.now(), messageIds, askedAt: clock.now() };
      }),
      change: fromPromise<Changed, Change>(async ({ input: change }) => {
        await script.change?.(change);
        return { atMs: clock.now(), existed: true, dropped: [] };
      }),
      ticket: fromCallback<never, TicketInput>(({ sendBack }) => {
        tickets.live += 1;
        tickets.taken += 1;
        if (script.grants !== false)
          sendBack({ type: 'ticket.granted', ticketId: `t${tickets.taken}`, atMs: clock.now() });
        return () => void (tickets.live -= 1);
      }) as never,
      run: puppet as never,
      answer: (answer) => void answers.push(answer),
      signal: (signal) => void signals.push(signal),
    }),
    {
      input: { ...input, ...over },
      clock,
      inspect: (inspected) => {
        const ref = inspected.actorRef as unknown as { id: string; options: { input: RunInput } };
        if (inspected.type === '@xstate.actor' && ref.id === 'run') runs.push(ref.options.input);
      },
    },
  );
  actor.on('*', (fact) => void facts.push(fact));
  actor.subscribe({ error: () => undefined });
  actor.start();
  const run = (event: AnyEventObject): void =>
    (actor.getSnapshot().children as Record<string, { send(event: AnyEventObject): void }>)['run']?.send(
      event,
    );
  const queue = (...messages: TurnMessage[]): void =>
    messages.forEach((one) => actor.send({ type: 'message.queued', message: one, atMs: clock.now() }));
  await clock.settle();
  return {
    actor,
    clock,
    commits,
    answers,
    signals,
    facts,
    tickets,
    runs,
    queue,
    inbox,
    send: async (...events: SessionEvent[]) => {
      for (const event of events) actor.send(event);
      await clock.settle();
    },
    take: async (...messages: TurnMessage[]) => {
      queue(...messages);
      await clock.settle();
    },
    end: async (output: RunOutput = ok) => {
      run({ type: 'end', output });
      await clock.settle();
    },
    crash: async () => {
      run({ type: 'crash' });
      await clock.settle();
    },
    state: () => stateName(actor.getSnapshot()),
    context: () => actor.getSnapshot().context,
    outcomes: () =>
      commits.flatMap((commit) =>
        commit.kind === 'question'
          ? []
          : commit.messages.map(
              ({ messageId }) =>
                `${messageId} ${commit.kind === 'turn' ? commit.outcome.status : 'dismissed'}`,
            ),
      ),
    states: () => facts.filter(({ type }) => type === 'session.state').map((fact) => fact['state']),
  };
}
const abort = (requestId: string, runId?: string): SessionEvent => ({
  type: 'run.abort',
  requestId,
  atMs: 10_000,
  ...(runId ? { runId } : {}),
});

describe('the session', () => {
  it('knows less than twenty things by name: the engine copies larger objects a hundred times slower', () => {
    const known = initialSession({ sessionKey: 's', path: 'p', incarnation: 1, atMs: 0 });
    expect(Object.keys(known).length).toBeLessThan(20);
  });

  it('takes one message at a time, in order, each under a ticket of its own, and is idle after', async () => {
    const session = await start();
    await session.take(message(1), message(2));
    expect(session.runs.map((run) => run.message.messageId)).toEqual(['m1']);
    await session.end();
    await session.end();
    expect(session.outcomes()).toEqual(['m1 ok', 'm2 ok']);
    expect(session.state()).toBe('idle');
    expect(session.tickets).toEqual({ live: 0, taken: 2 });
    expect(session.states()).toEqual(['idle', 'processing', 'idle']);
  });

  it('resumes what the inbox holds, in its order, before what comes later', async () => {
    const session = await start({ inbox: [message(1), message(2)] });
    await session.take(message(3));
    for (let turn = 0; turn < 3; turn++) await session.end();
    expect(session.outcomes()).toEqual(['m1 ok', 'm2 ok', 'm3 ok']);
    expect(session.facts[0]).toMatchObject({ type: 'session.resumed', pending: 2, sessionId: 's1' });
  });

  it('takes a message once, however often and when it is announced', async () => {
    const session = await start({ inbox: [message(1)] });
    await session.take(message(1), message(2), message(2));
    await session.end();
    await session.take(message(1), message(2));
    await session.end();
    await session.take(message(1), message(2));
    expect(session.outcomes()).toEqual(['m1 ok', 'm2 ok']);
  });

  it('a message announced while the inbox is read is taken once, at its place', async () => {
    let read = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      read = resolve;
    });
    const session = await start({ inbox: [message(1), message(2)], load: () => gate });
    await session.take(message(2), message(3));
    read();
    await session.clock.settle();
    for (let turn = 0; turn < 3; turn++) await session.end();
    expect(session.outcomes()).toEqual(['m1 ok', 'm2 ok', 'm3 ok']);
  });

  it('leaves in the inbox what does not fit, says so, and reads it when there is room, in order', async () => {
    const session = await start();
    await session.take(message(1), message(2), message(3), message(4));
    session.inbox.push(message(5), message(6));
    await session.take(message(5), message(6));
    expect(session.context().queue).toHaveLength(3);
    expect(
      session.facts.filter(({ type }) => type === 'message.deferred').map((fact) => fact['messageId']),
    ).toEqual(['m5', 'm6']);
    for (let turn = 0; turn < 6; turn++) await session.end();
    expect(session.outcomes()).toEqual([1, 2, 3, 4, 5, 6].map((n) => `m${n} ok`));
    expect(session.state()).toBe('idle');
  });

  it('tells of an end only after it is committed', async () => {
    let commit = (): void => undefined;
    const session = await start({
      settle: () =>
        new Promise((resolve) => {
          commit = resolve;
        }),
    });
    await session.take(message(1));
    await session.end();
    expect(session.signals.map(({ kind }) => kind)).toEqual(['started']);
    commit();
    await session.clock.settle();
    expect(session.signals.map(({ kind }) => kind)).toEqual(['started', 'ended']);
    expect(session.facts.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['run.started', 'run.completed', 'message.processed']),
    );
  });

  it('survives a run that crashes: it begins again after a growing pause, and the third crash settles the turn as an error', async () => {
    const session = await start();
    await session.take(message(1), message(2));
    await session.crash();
    expect(session.state()).toContain('backing');
    await session.clock.advanceAsync(199);
    expect(session.runs).toHaveLength(1);
    await session.clock.advanceAsync(1);
    await session.crash();
    await session.clock.advanceAsync(399);
    expect(session.runs).toHaveLength(2);
    await session.clock.advanceAsync(1);
    await session.crash();
    expect(session.commits[0]).toMatchObject({
      kind: 'turn',
      outcome: { status: 'error', error: { code: 'RUN_CRASHED' } },
    });
    expect(
      session.runs.map(({ incarnation, message: { messageId } }) => `${messageId}#${incarnation}`),
    ).toEqual(['m1#1', 'm1#2', 'm1#3', 'm2#4']);
    expect(session.facts.filter(({ type }) => type === 'run.crashed').map((fact) => fact['crashes'])).toEqual(
      [1, 2, 3],
    );
    expect(session.signals.map(({ kind, runId }) => `${runId} ${kind}`)).toEqual([
      'r1 started',
      'r1 restarted',
      'r1 restarted',
      'r1 ended',
      'r2 started',
    ]);
    expect(session.facts.filter(({ type, runId }) => type === 'run.started' && runId === 'r1')).toHaveLength(
      1,
    );
    await session.end();
    expect(session.outcomes()).toEqual(['m1 error', 'm2 ok']);
  });

  it('asks a run to end, keeps what it has said, and then answers who asked', async () => {
    const session = await start();
    await session.take(message(1));
    await session.send(abort('q1', 'r1'));
    expect(session.state()).toContain('ending');
    expect(session.answers).toEqual([]);
    await session.end({ ...said, text: 'half a', status: 'aborted', stopReason: 'aborted' });
    expect(session.commits[0]).toMatchObject({ outcome: { status: 'aborted', text: 'half a' } });
    expect(session.answers).toEqual([
      { requestId: 'q1', result: { kind: 'aborted', aborted: true, runIds: ['r1'] } },
    ]);
  });

  it('a run that ignores the abort is stopped after its grace, its late words are not heard, and the next message runs', async () => {
    const session = await start();
    await session.take(message(1), message(2));
    const zombie = (
      session.actor.getSnapshot().children as Record<string, { send(event: AnyEventObject): void }>
    )['run'];
    await session.send(abort('q1', 'r1'));
    await session.clock.advanceAsync(4_999);
    expect(session.commits).toEqual([]);
    await session.clock.advanceAsync(1);
    expect(session.outcomes()).toEqual(['m1 aborted']);
    zombie?.send({ type: 'end', output: { ...ok, text: 'from the grave' } });
    await session.clock.settle();
    expect(session.outcomes()).toEqual(['m1 aborted']);
    expect(session.runs.at(-1)?.message.messageId).toBe('m2');
    expect(session.tickets).toEqual({ live: 1, taken: 2 });
  });

  it('aborts a queued message at once, while another one runs on', async () => {
    const session = await start();
    await session.take(message(1), message(2), message(3));
    await session.send(abort('q1', 'r2'));
    expect(session.answers).toEqual([
      { requestId: 'q1', result: { kind: 'aborted', aborted: true, runIds: ['r2'] } },
    ]);
    expect(session.outcomes()).toEqual(['m2 dismissed']);
    expect(session.signals.at(-1)).toMatchObject({ runId: 'r2', kind: 'ended', status: 'aborted' });
    await session.end();
    await session.end();
    expect(session.outcomes()).toEqual(['m2 dismissed', 'm1 ok', 'm3 ok']);
  });

  it('aborts all of it when no run is named, and answers when the last one is settled', async () => {
    const session = await start();
    await session.take(message(1), message(2));
    await session.send(abort('q1'));
    expect(session.answers).toEqual([]);
    await session.end({ ...said, status: 'aborted', stopReason: 'aborted' });
    expect(session.answers[0]?.result).toMatchObject({ aborted: true, runIds: ['r2', 'r1'] });
    await session.send(abort('q2'));
    expect(session.answers[1]?.result).toEqual({ kind: 'aborted', aborted: false, runIds: [] });
  });

  it('repeats a failed commit with growing pauses, and loses nothing', async () => {
    let failures = 3;
    const session = await start({
      settle: async () => {
        if (failures-- > 0) throw new CoppiceError('STORE_FAILED', { reason: 'disk' });
      },
    });
    await session.take(message(1));
    await session.end();
    await session.clock.advanceAsync(250 + 500 + 1_000);
    expect(session.outcomes()).toEqual(['m1 ok']);
    expect(
      session.facts.filter(({ type }) => type === 'session.settle_failed').map((fact) => fact['attempt']),
    ).toEqual([1, 2, 3]);
  });

  it('fails after five commits that failed; the message is still in the inbox', async () => {
    const session = await start({
      inbox: [message(1)],
      settle: () => Promise.reject(new CoppiceError('STORE_FAILED', { reason: 'disk' })),
    });
    await session.end();
    await session.clock.advanceAsync(60_000);
    expect(session.actor.getSnapshot()).toMatchObject({
      status: 'done',
      output: { exit: 'error', error: { code: 'STORE_FAILED' } },
    });
    expect(session.facts.filter(({ type }) => type === 'session.settle_failed')).toHaveLength(5);
    expect(session.inbox).toHaveLength(1);
  });

  it('settles a message whose ticket is refused as an error with its reason', async () => {
    const session = await start({ grants: false });
    await session.take(message(1));
    await session.send({ type: 'ticket.refused', ticketId: 't1', reason: 'full', limit: 7, atMs: 10_000 });
    expect(session.commits[0]).toMatchObject({
      outcome: {
        status: 'error',
        error: { code: 'OVERLOADED', message: expect.stringContaining('lane main is full (7)') },
      },
    });
    expect(session.signals.at(-1)).toMatchObject({ kind: 'ended', status: 'error' });
  });

  it('ends a run whose ticket expired', async () => {
    const session = await start();
    await session.take(message(1));
    await session.send({ type: 'ticket.revoked', ticketId: 't1', reason: 'expired', atMs: 10_000 });
    await session.clock.advanceAsync(5_000);
    expect(session.outcomes()).toEqual(['m1 aborted']);
  });

  it('ends a run that overslept its own deadline, as an error', async () => {
    const session = await start({}, { turnTimeoutMs: 1_000 });
    await session.take(message(1));
    await session.send({ type: 'clock.tick', atMs: 16_000 }, { type: 'clock.tick', atMs: 16_001 });
    await session.clock.advanceAsync(5_000);
    expect(session.commits[0]).toMatchObject({
      outcome: { status: 'error', error: { code: 'RUN_DEADLINE' } },
    });
  });

  it('asks what is undecided, gives the ticket back, and takes the next word of its user as the answer to it', async () => {
    const session = await start();
    await session.take(message(1));
    await session.end(undecided);
    expect(session.commits).toMatchObject([{ kind: 'question', question: 'Send it again?' }]);
    expect(session.state()).toBe('waiting');
    expect(session.tickets.live).toBe(0);
    expect(session.signals.at(-1)).toMatchObject({ runId: 'r1', kind: 'text', delta: '\n\nSend it again?' });
    await session.take(message(20, { text: 'Yes, go on' }));
    expect(session.runs.at(-1)).toMatchObject({ decision: 'retry', message: { messageId: 'm1' } });
    await session.end();
    expect(session.outcomes()).toEqual(['m1 ok', 'm20 ok']);
    expect(session.signals.filter(({ kind }) => kind === 'ended').map(({ runId }) => runId)).toEqual([
      'r1',
      'r20',
    ]);
    expect(session.states()).toEqual(['idle', 'processing', 'waiting', 'processing', 'idle']);
  });

  it('does not take what was said before the question, nor what no user said, for an answer', async () => {
    const session = await start();
    await session.take(message(1), message(2));
    await session.end(undecided);
    await session.take(message(21, { source: 'heartbeat' }));
    expect(session.state()).toBe('waiting');
    await session.take(message(22, { text: 'leave it' }));
    expect(session.runs.at(-1)).toMatchObject({ decision: 'skip', message: { messageId: 'm1' } });
    for (let turn = 0; turn < 3; turn++) await session.end();
    expect(session.outcomes()).toEqual(['m1 ok', 'm22 ok', 'm2 ok', 'm21 ok']);
  });

  it('ends an open question by abort, without running anything', async () => {
    const session = await start();
    await session.take(message(1));
    await session.end(undecided);
    await session.send(abort('q1', 'r1'));
    expect(session.outcomes()).toEqual(['m1 dismissed']);
    expect(session.answers[0]?.result).toMatchObject({ aborted: true, runIds: ['r1'] });
    expect(session.state()).toBe('idle');
  });

  it('resets after ending the active run, answers then, and goes on with what waited under the new id', async () => {
    const session = await start();
    await session.take(message(1), message(2));
    await session.send({ type: 'session.reset', requestId: 'q1', sessionId: 's2', atMs: 10_000 });
    expect(session.answers).toEqual([]);
    await session.end({ ...said, status: 'aborted', stopReason: 'aborted' });
    expect(session.answers).toEqual([{ requestId: 'q1', result: { kind: 'reset', sessionId: 's2' } }]);
    expect(session.runs.at(-1)).toMatchObject({ sessionId: 's2', message: { messageId: 'm2' } });
    expect(session.commits[0]).toMatchObject({ sessionId: 's1' });
  });

  it('deletes after settling everything that waited, and is gone', async () => {
    const session = await start();
    await session.take(message(1), message(2));
    await session.send({ type: 'session.delete', requestId: 'q1', atMs: 10_000 });
    await session.end({ ...said, status: 'aborted', stopReason: 'aborted' });
    expect(session.answers).toEqual([{ requestId: 'q1', result: { kind: 'deleted', deleted: true } }]);
    expect(session.outcomes()).toEqual(['m1 aborted', 'm2 dismissed']);
    expect(session.actor.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'normal' } });
  });

  it('says when a reset failed, and reads the store again before it goes on', async () => {
    let loads = 0;
    const session = await start({
      load: async () => void (loads += 1),
      change: () => Promise.reject(new CoppiceError('STORE_UNKNOWN', {})),
    });
    await session.send(examples['session.reset']);
    expect(session.answers[0]?.result).toMatchObject({ kind: 'failed', code: 'STORE_UNKNOWN' });
    expect(loads).toBe(2);
    expect(session.context().sessionId).toBe('s1');
  });

  it('refuses more requests than it can keep', async () => {
    const session = await start({ load: () => new Promise(() => undefined) }, { maxAsks: 1 });
    await session.send(abort('q1'), abort('q2'));
    expect(session.answers).toMatchObject([
      { requestId: 'q2', result: { kind: 'failed', code: 'OVERLOADED' } },
    ]);
  });

  it('marks a heartbeat that had nothing to say as silent, and no other turn', async () => {
    const session = await start();
    const beat = message(1, { source: 'heartbeat' });
    await session.take(beat);
    await session.end({ ...ok, text: '**HEARTBEAT_OK**' });
    await session.take({ ...beat, messageId: 'm2', runId: 'r2' });
    await session.end({ ...ok, text: 'HEARTBEAT_OK. But your train is late.' });
    await session.take(message(3));
    await session.end({ ...ok, text: 'HEARTBEAT_OK' });
    expect(session.commits.map((commit) => commit.kind === 'turn' && commit.silent)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('goes from memory when it has been idle long enough, not before', async () => {
    const session = await start();
    await session.take(message(1));
    await session.end();
    await session.send({ type: 'clock.tick', atMs: 69_999 });
    expect(session.state()).toBe('idle');
    await session.send({ type: 'clock.tick', atMs: 70_000 });
    expect(session.actor.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'normal' } });
    expect(session.facts.at(-1)).toEqual({
      type: 'session.passivated',
      sessionKey: 'k',
      sessionId: 's1',
      idleMs: 60_000,
    });
  });

  it('reports a silent run as stuck, ever more rarely, and takes progress for life', async () => {
    const session = await start();
    await session.take(message(1));
    const tick = (atMs: number): SessionEvent => ({ type: 'clock.tick', atMs });
    await session.send(tick(129_999), tick(130_000), tick(140_000), tick(249_999), tick(250_000));
    const stuck = () =>
      session.facts.filter(({ type }) => type === 'session.stuck').map((fact) => fact['ageMs']);
    expect(stuck()).toEqual([120_000, 240_000]);
    await session.send(
      { type: 'run.progress', runId: 'r1', atMs: 260_000 },
      { type: 'run.progress', runId: 'other', atMs: 270_000 },
      tick(379_999),
    );
    expect(stuck()).toHaveLength(2);
    await session.send(tick(380_000));
    expect(stuck()).toEqual([120_000, 240_000, 120_000]);
  });

  it('fails by name when an effect was not provided', async () => {
    const clock = createSimulatedClock();
    const actor = createActor(sessionMachine, { input, clock }).start();
    await clock.advanceAsync(10_000);
    expect(actor.getSnapshot().output).toMatchObject({
      exit: 'error',
      error: { code: 'EFFECT_MISSING', message: expect.stringContaining('"load"') },
    });
  });
});

describe('a session told to stop', () => {
  const stop = examples['supervisor.shutdown'];
  const never = (): Promise<void> => new Promise(() => undefined);
  type Session = Awaited<ReturnType<typeof start>>;
  const places: Record<string, () => Promise<Session>> = {
    loading: () => start({ inbox: [message(1)], load: never }),
    requesting: () => start({ inbox: [message(1)], grants: false }),
    working: () => start({ inbox: [message(1)] }),
    backing: async () => {
      const session = await start({ inbox: [message(1)] });
      await session.crash();
      return session;
    },
    ending: async () => {
      const session = await start({ inbox: [message(1)] });
      await session.send(abort('q1'));
      return session;
    },
    waiting: async () => {
      const session = await start({ inbox: [message(1)] });
      await session.end(undecided);
      return session;
    },
    resting: async () => {
      const session = await start({ inbox: [message(1)], settle: () => Promise.reject(new Error('disk')) });
      await session.end();
      return session;
    },
  };
  for (const [place, reach] of Object.entries(places)) {
    it(`while ${place} ends at once, holds nothing, and leaves in the inbox what is not settled`, async () => {
      const session = await reach();
      expect(session.state()).toContain(place === 'loading' ? 'loading' : place);
      await session.send(stop);
      expect(session.actor.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'shutdown' } });
      expect(session.tickets.live).toBe(0);
      expect(session.inbox.map(({ messageId }) => messageId)).toEqual(['m1']);
      expect(session.signals.filter(({ kind }) => kind === 'ended')).toEqual([]);
    });
  }

  it('while it commits waits for the commit, and tells of it', async () => {
    let commit = (): void => undefined;
    const session = await start({
      inbox: [message(1), message(2)],
      settle: () =>
        new Promise((resolve) => {
          commit = resolve;
        }),
    });
    await session.end();
    await session.send(stop);
    expect(session.actor.getSnapshot().status).toBe('active');
    commit();
    await session.clock.settle();
    expect(session.actor.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'shutdown' } });
    expect(session.signals.at(-1)).toMatchObject({ runId: 'r1', kind: 'ended', status: 'ok' });
    expect(session.inbox.map(({ messageId }) => messageId)).toEqual(['m2']);
  });

  it('while it commits does not wait for ever, nor try again', async () => {
    const hanging = await start({ inbox: [message(1)], settle: never });
    await hanging.end();
    await hanging.send(stop);
    await hanging.clock.advanceAsync(4_000);
    expect(hanging.actor.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'shutdown' } });
    let fail = (_error: Error): void => undefined;
    const failing = await start({
      inbox: [message(1)],
      settle: () =>
        new Promise((_resolve, reject) => {
          fail = reject;
        }),
    });
    await failing.end();
    await failing.send(stop);
    fail(new Error('disk'));
    await failing.clock.settle();
    expect(failing.actor.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'shutdown' } });
    expect(failing.inbox).toHaveLength(1);
  });
});

import { fromPromise } from 'xstate';
import { describe, expect, it } from 'vitest';
import {
  lane,
  LIMITS,
  session,
  sessionHost,
  type NewMessage,
  type ReplyInput,
  type SessionHostOptions,
  type SessionRecord,
} from '../../src/machines/index.ts';
import type { RunInput, RunOutput } from '../../src/machines/turn.ts';
import { createSupervision, type ChildSpec } from '../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../src/testing/index.ts';

/** Sessions of a host under a supervisor on a simulated clock; `reply` says a word every 100 ms. */
function openHost(more: Partial<SessionHostOptions> = {}) {
  const clock = createSimulatedClock();
  const records = new Map<string, SessionRecord>();
  const signals: session.SessionSignal[] = [];
  const answers: session.SessionAnswer[] = [];
  const asked: ReplyInput[] = [];
  const supervision = createSupervision({ clock, random: () => 0.5, report: () => {} });
  async function* reply(input: ReplyInput) {
    asked.push(input);
    for (const word of ['you ', 'said ', input.text]) {
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, 100));
      yield word;
    }
  }
  const host = sessionHost({
    records,
    now: clock.now,
    reply,
    signal: (said) => void signals.push(said),
    answer: (answer) => void answers.push(answer),
    nested: supervision.nested,
    registry: undefined,
    ...more,
  } as SessionHostOptions);
  const { registry } = supervision;
  return {
    clock,
    records,
    signals,
    answers,
    asked,
    host,
    ...supervision,
    start: (...children: ChildSpec[]) =>
      supervision.start('app', { strategy: 'one_for_one', intensity: 5, periodMs: 60_000, children }),
    async say(user: string, id: string, said: Partial<NewMessage> = {}) {
      const news = await host.accept(user, { id, text: id, ...said });
      registry.tell(`app/${user}`, news);
      return news;
    },
    tell: (user: string, event: session.SessionEvent) => registry.tell(`app/${user}`, event),
    state: (user: string) =>
      (registry.peek(`app/${user}`) as { value: unknown } | undefined)?.value ?? 'nobody',
    ended: () => signals.filter((said) => said.kind === 'ended'),
    lines: (user: string) => records.get(user)?.transcript.map(({ role, text }) => `${role}: ${text}`),
  };
}

describe('a session of a host', () => {
  it('answers, shows the text as it grows, and keeps what was said', async () => {
    const { start, say, host, clock, signals, lines, records, asked } = openHost();
    start(host.child('ann'));
    await say('ann', 'hello');
    await clock.advanceAsync(1_000);
    expect(signals.map((said) => ('text' in said ? said.text : said.kind))).toEqual([
      'started',
      'you ',
      'you said ',
      'you said hello',
      'you said hello',
    ]);
    expect(lines('ann')).toEqual(['user: hello', 'assistant: you said hello']);
    expect(records.get('ann')!.pending).toEqual([]);
    await say('ann', 'more');
    await clock.advanceAsync(1_000);
    expect(asked[1]!.transcript.map(({ text }) => text)).toEqual(['hello', 'you said hello']);
  });

  it('answers what was accepted before it lived', async () => {
    const { start, say, host, clock, ended } = openHost();
    await say('ann', 'early');
    start(host.child('ann'));
    await clock.advanceAsync(1_000);
    expect(ended()).toMatchObject([{ runId: 'early', status: 'ok', text: 'you said early' }]);
  });

  it('killed in the middle of an answer, answers in its next life, once; its sibling never notices', async () => {
    const { start, say, host, clock, ended, kill, lines, registry, asked } = openHost();
    start(host.child('ann'), host.child('bob'));
    await Promise.all([say('ann', 'a'), say('bob', 'b')]);
    await clock.advanceAsync(150);
    kill('app/ann', { by: 'the test' });
    await clock.advanceAsync(2_000);
    expect(asked.map(({ sessionKey, signal }) => [sessionKey, signal.aborted])).toEqual([
      ['ann', true],
      ['bob', false],
      ['ann', false],
    ]);
    expect(ended().map(({ runId }) => runId)).toEqual(['b', 'a']);
    expect(lines('ann')).toEqual(['user: a', 'assistant: you said a']);
    expect([registry.incarnation('app/ann'), registry.incarnation('app/bob')]).toEqual([2, 1]);
  });

  it('lives on when its run is killed; the run begins again and the dead one is not heard', async () => {
    const { start, say, host, clock, signals, kill, registry } = openHost();
    start(host.child('ann'));
    await say('ann', 'a');
    await clock.advanceAsync(150);
    kill('app/ann/run', { by: 'the test' });
    await clock.advanceAsync(2_000);
    expect(signals.map((said) => ('text' in said ? said.text : said.kind))).toEqual([
      'started',
      'you ',
      'restarted',
      'you ',
      'you said ',
      'you said a',
      'you said a',
    ]);
    expect(registry.incarnation('app/ann')).toBe(1);
  });

  it('told to abort, ends at once with what was said so far, and says so to its host', async () => {
    const { start, say, host, clock, tell, ended, answers, asked, lines } = openHost();
    start(host.child('ann'));
    await say('ann', 'a');
    await clock.advanceAsync(250);
    tell('ann', { type: 'run.abort', requestId: 'q', atMs: clock.now() });
    await clock.settle();
    expect(ended()).toMatchObject([{ status: 'aborted', text: 'you said ' }]);
    expect(answers).toEqual([{ requestId: 'q', result: { kind: 'aborted', aborted: true, runIds: ['a'] } }]);
    expect(asked[0]!.signal.aborted).toBe(true);
    await clock.advanceAsync(1_000);
    expect(ended()).toHaveLength(1);
    expect(lines('ann')).toEqual(['user: a', 'assistant: you said ']);
  });

  it('whose model throws tries three times, then says why, and takes the next message', async () => {
    let calls = 0;
    const { start, say, host, clock, ended, state } = openHost({
      // oxlint-disable-next-line require-yield
      async *reply({ text }) {
        calls += 1;
        if (text === 'bad') throw new Error('no such model');
        yield 'fine';
      },
    });
    start(host.child('ann'));
    await Promise.all([say('ann', 'bad'), say('ann', 'good')]);
    await clock.advanceAsync(5_000);
    expect(calls).toBe(LIMITS.crashesPerTurn + 1);
    expect(ended()).toMatchObject([
      { runId: 'bad', status: 'error', error: { code: 'RUN_CRASHED' } },
      { runId: 'good', status: 'ok', text: 'fine' },
    ]);
    expect(ended()[0]!.error!.message).toContain('no such model');
    expect(state('ann')).toBe('idle');
  });

  it('stops reading an answer that never ends', async () => {
    const piece = 'x'.repeat(LIMITS.responseChars / 2 + 1);
    const { start, say, host, clock, ended } = openHost({
      async *reply() {
        for (;;) yield piece;
      },
    });
    start(host.child('ann'));
    await say('ann', 'a');
    await clock.advanceAsync(1_000);
    expect(ended()).toMatchObject([{ status: 'ok', stopReason: 'length' }]);
    expect(ended()[0]!.text).toHaveLength(LIMITS.responseChars);
  });

  it('takes a message of the same id once, whether it waits, runs or has its outcome', async () => {
    const { start, say, host, clock, ended, asked } = openHost();
    start(host.child('ann'));
    expect((await Promise.all([say('ann', 'a'), say('ann', 'a')])).map(({ type }) => type)).toEqual([
      'message.queued',
      'message.queued',
    ]);
    await clock.advanceAsync(150);
    await say('ann', 'a');
    await clock.advanceAsync(1_000);
    expect(await say('ann', 'a')).toMatchObject({ type: 'inbox.changed' });
    await clock.advanceAsync(1_000);
    expect([asked.length, ended().length]).toEqual([1, 1]);
  });

  it('refuses what is too much, and keeps what it took', async () => {
    const { host, records } = openHost();
    const taken = Array.from({ length: LIMITS.queuePerSession }, (_, n) =>
      host.accept('ann', { id: `m${n}`, text: 'x' }),
    );
    await Promise.all(taken);
    await expect(host.accept('ann', { id: 'one more', text: 'x' })).rejects.toMatchObject({
      code: 'OVERLOADED',
    });
    expect(records.get('ann')!.pending.map(({ messageId }) => messageId)).toEqual(
      taken.map((_, n) => `m${n}`),
    );
  });

  it('keeps the newest lines of a long conversation', async () => {
    const { start, say, host, clock, records } = openHost();
    const transcript = Array.from(
      { length: LIMITS.linesPerRecord },
      (_, n) => ({ role: 'user', text: `${n}`, runId: `r${n}`, at: n }) as const,
    );
    records.set('ann', { sessionId: 's', pending: [], transcript });
    start(host.child('ann'));
    await say('ann', 'new');
    await clock.advanceAsync(1_000);
    const { transcript: kept, sessionId } = records.get('ann')!;
    expect([kept.length, kept[0]!.text, kept.at(-2)!.text, sessionId]).toEqual([
      LIMITS.linesPerRecord,
      '2',
      'new',
      's',
    ]);
  });

  it('reset, begins a new transcript and keeps what waits; deleted, leaves nothing and ends', async () => {
    const { start, say, host, clock, tell, records, answers, ended, registry, lines } = openHost();
    start(host.child('ann'));
    await say('ann', 'a');
    await clock.advanceAsync(1_000);
    await Promise.all([say('ann', 'b'), say('ann', 'c')]);
    tell('ann', { type: 'session.reset', requestId: 'q1', sessionId: 's2', atMs: clock.now() });
    await clock.advanceAsync(3_000);
    expect(records.get('ann')!.sessionId).toBe('s2');
    expect(ended().map(({ runId, status }) => `${runId} ${status}`)).toEqual(['a ok', 'b aborted', 'c ok']);
    expect(lines('ann')).toEqual(['user: c', 'assistant: you said c']);
    tell('ann', { type: 'session.delete', requestId: 'q2', atMs: clock.now() });
    await clock.advanceAsync(100);
    expect(answers.map(({ result }) => result.kind)).toEqual(['reset', 'deleted']);
    expect([records.has('ann'), registry.incarnation('app/ann')]).toEqual([false, undefined]);
  });

  it('whose store fails is started anew by its supervisor, alone, and then answers what it owes', async () => {
    const table = new Map<string, SessionRecord>();
    let broken = true;
    const { start, say, host, clock, ended, registry } = openHost({
      records: {
        get(user) {
          if (user === 'ann' && broken) throw new Error('the disk is gone');
          return table.get(user);
        },
        set: (user, record) => table.set(user, record),
        delete: (user) => table.delete(user),
      },
    });
    start(host.child('ann'), host.child('bob'));
    await clock.advanceAsync(20_000);
    expect(registry.incarnation('app/ann')).toBeGreaterThan(1);
    broken = false;
    await clock.advanceAsync(5_000);
    await Promise.all([say('ann', 'a'), say('bob', 'b')]);
    await clock.advanceAsync(5_000);
    expect(ended().map(({ runId }) => runId)).toEqual(['a', 'b']);
    expect(registry.incarnation('app/bob')).toBe(1);
  });

  it('writes one after the other where the store is slow: no message is lost to another', async () => {
    const table = new Map<string, SessionRecord>();
    const slow = <T>(result: T) => new Promise<T>((resolve) => setTimeout(resolve, 2, result));
    const { host } = openHost({
      records: {
        get: (user) => slow(table.get(user)),
        async set(user, record) {
          await slow(undefined);
          table.set(user, record);
        },
        delete: (user) => table.delete(user),
      },
    });
    const ids = ['a', 'b', 'c', 'd'];
    await Promise.all(ids.map((id) => host.accept('ann', { id, text: id })));
    expect(table.get('ann')!.pending.map(({ runId }) => runId)).toEqual(ids);
  });

  it('killed in the middle of a commit, waits in its next life for that commit, and answers nothing twice', async () => {
    const table = new Map<string, SessionRecord>();
    let writeMs = 0;
    const { start, say, host, clock, ended, asked, kill, state, registry } = openHost({
      records: {
        get: (user) => table.get(user),
        async set(user, record) {
          await new Promise<void>((resolve) => void clock.setTimeout(resolve, writeMs));
          table.set(user, record);
        },
        delete: (user) => table.delete(user),
      },
    });
    start(host.child('ann'));
    const taken = say('ann', 'a');
    await clock.advanceAsync(10);
    await taken;
    writeMs = 500;
    await clock.advanceAsync(350);
    expect(JSON.stringify(state('ann'))).toContain('settling');
    kill('app/ann', { by: 'the test' });
    await clock.advanceAsync(100);
    expect([state('ann'), registry.incarnation('app/ann')]).toEqual([{ loading: 'reading' }, 2]);
    await clock.advanceAsync(2_000);
    expect([state('ann'), asked.length, ended().length]).toEqual(['idle', 1, 0]);
    expect(table.get('ann')!.transcript.map(({ text }) => text)).toEqual(['a', 'you said a']);
  });

  it('asks when its run cannot decide, and the answer to the question decides, over a crash too', async () => {
    const { start, say, host, clock, state, lines, ended, kill, signals } = openHost();
    const decisions: RunInput['decision'][] = [];
    const said = { messages: [], usage: null, attempts: 1, toolCalls: 1 };
    const run = fromPromise<RunOutput, RunInput>(async ({ input: { decision } }) => {
      decisions.push(decision);
      if (decision) return { ...said, text: 'sent again', status: 'ok', stopReason: 'stop' };
      const question = 'Send it again?';
      return { ...said, text: '', status: 'undecided', question, toolCallId: 'c', toolName: 'mail' };
    });
    const logic = session.withEffects({
      ...host.effects,
      run: run as unknown as session.SessionEffects['run'],
    });
    start({ ...host.child('ann'), logic });
    await say('ann', 'send it');
    await clock.advanceAsync(500);
    expect(state('ann')).toBe('waiting');
    kill('app/ann', { by: 'the test' });
    await clock.advanceAsync(500);
    expect([state('ann'), signals.filter(({ kind }) => kind === 'text').length]).toEqual(['waiting', 2]);
    expect(lines('ann')).toEqual(['user: send it', 'assistant: Send it again?']);
    await say('ann', 'yes');
    await clock.advanceAsync(500);
    expect(decisions).toEqual([null, null, 'retry']);
    expect(ended().map(({ runId, text }) => [runId, text])).toEqual([
      ['send it', 'sent again'],
      ['yes', 'sent again'],
    ]);
    expect(lines('ann')).toEqual([
      'user: send it',
      'assistant: Send it again?',
      'user: yes',
      'assistant: sent again',
    ]);
  });
});

describe('sessions of a host that share a lane', () => {
  const openLane = () => {
    const tell: SessionHostOptions['registry'] = {
      tell: (path, event) => opened.registry.tell(path, event),
      watch: (path, watcher) => opened.registry.watch(path, watcher),
    };
    const opened = openHost({ registry: tell });
    const { clock, registry, host } = opened;
    const logic = lane.withEffects({
      grant: ({ holder, ticketId }) => registry.tell(holder, { type: 'lane.granted', ticketId }),
      refuse: ({ holder, ...rest }) => registry.tell(holder, { type: 'lane.refused', ...rest }),
      revoke: ({ holder, ...rest }) => registry.tell(holder, { type: 'lane.revoked', ...rest }),
    });
    const one: ChildSpec = {
      id: 'one',
      logic,
      input: ({ incarnation }) => ({
        name: 'one',
        maxConcurrent: 1,
        maxQueue: 1,
        incarnation,
        atMs: clock.now(),
      }),
    };
    const users = ['ann', 'bob', 'cleo'].map((user) => host.child(user, { lane: 'app/one' }));
    opened.start(one, ...users);
    return { ...opened, busy: () => opened.asked.length - opened.ended().length };
  };

  it('work one at a time; who finds the lane full is told', async () => {
    const { say, clock, ended, asked } = openLane();
    await clock.advanceAsync(50);
    for (const user of ['ann', 'bob', 'cleo']) await say(user, user);
    await clock.advanceAsync(150);
    expect([asked.length, ended().map(({ runId, status }) => `${runId} ${status}`)]).toEqual([
      1,
      ['cleo error'],
    ]);
    await clock.advanceAsync(1_000);
    expect(ended().map(({ runId }) => runId)).toEqual(['cleo', 'ann', 'bob']);
  });

  it('give their ticket back when they are killed, and keep it when the lane is', async () => {
    const { say, clock, ended, asked, kill } = openLane();
    await clock.advanceAsync(50);
    await say('ann', 'ann');
    await say('bob', 'bob');
    await clock.advanceAsync(150);
    kill('app/one', { by: 'the test' });
    await clock.advanceAsync(50);
    expect(asked.map(({ sessionKey }) => sessionKey)).toEqual(['ann']);
    kill('app/ann', { by: 'the test' });
    await clock.advanceAsync(2_000);
    expect(ended().map(({ runId }) => runId)).toEqual(['bob', 'ann']);
  });
});

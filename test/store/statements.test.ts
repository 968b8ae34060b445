import { describe, expect, test } from 'vitest';
import { statements } from '../../src/store/index.ts';
import type { OpenStore } from '../../src/store/index.ts';
import { AT, inboxRow, outboxRow, tempStore, transcriptRow } from './fixture.ts';

const KEY = 'agent:main:main';
const changesOf = async (store: OpenStore, list: Parameters<OpenStore['commit']>[0]): Promise<number[]> =>
  (await store.commit(list)).map(({ changes }) => changes);

describe('the inbox', () => {
  test('an accepted message and its run can be read as soon as the commit resolves', async () => {
    const store = await tempStore();
    const row = inboxRow('1', {
      text: 'tree 🌳 and a \0 byte',
      options: { model: 'm', deep: [{ a: null }] },
    });
    expect(await changesOf(store, statements.acceptMessage(row))).toEqual([1, 1]);
    expect(store.read.message(row.messageId)).toEqual({ ...row, status: 'pending', position: 1 });
    expect(store.read.run('run-1')).toEqual({
      runId: 'run-1',
      sessionKey: KEY,
      status: 'accepted',
      acceptedAt: AT,
    });
  });

  test('a message that comes again changes nothing, whatever else it says, and takes no position', async () => {
    const store = await tempStore();
    await store.commit(statements.acceptMessage(inboxRow('1')));
    expect(await changesOf(store, statements.acceptMessage(inboxRow('1', { text: 'other' })))).toEqual([
      0, 0,
    ]);
    expect(await changesOf(store, statements.acceptMessage(inboxRow('1', { runId: 'run-x' })))).toEqual([
      0, 0,
    ]);
    expect(store.read.run('run-x')).toBeUndefined();
    expect(await changesOf(store, statements.acceptMessage(inboxRow('2', { runId: 'run-1' })))).toEqual([
      0, 0,
    ]);
    expect(store.read.message('console/default/2')).toBeUndefined();
    await store.commit(statements.acceptMessage(inboxRow('3')));
    expect(store.read.message('console/default/3')?.position).toBe(2);
    expect(store.read.message('console/default/1')?.text).toBe('message 1');
  });

  test('a message that comes again after it was settled stays settled', async () => {
    const store = await tempStore();
    await store.commit(statements.acceptMessage(inboxRow('1')));
    await store.commit(statements.settleMessage('console/default/1', 'done', AT + 5));
    expect(await changesOf(store, statements.acceptMessage(inboxRow('1')))).toEqual([0, 0]);
    expect(await changesOf(store, statements.settleMessage('console/default/1', 'dead', AT + 9))).toEqual([
      0,
    ]);
    expect(store.read.message('console/default/1')?.status).toBe('done');
    expect(store.read.pendingMessages(KEY)).toEqual([]);
  });

  test('pending messages come in order of acceptance, per session, the oldest session first', async () => {
    const store = await tempStore();
    const other = { sessionKey: 'agent:ops:main', agentId: 'ops' };
    for (const row of [
      inboxRow('1', other),
      inboxRow('2'),
      inboxRow('3'),
      inboxRow('4'),
      inboxRow('5', other),
    ]) {
      await store.commit(statements.acceptMessage(row));
    }
    await store.commit(statements.settleMessage('console/default/3', 'dead', AT));
    expect(store.read.pendingMessages(KEY).map((row) => row.platformId)).toEqual(['2', '4']);
    expect(store.read.pendingMessages(KEY, 1).map((row) => row.platformId)).toEqual(['2']);
    expect([store.read.countPending(KEY, 10), store.read.countPending(KEY, 1)]).toEqual([2, 1]);
    expect(store.read.pendingSessions()).toEqual([
      { sessionKey: 'agent:ops:main', agentId: 'ops', count: 2 },
      { sessionKey: KEY, agentId: 'main', count: 2 },
    ]);
  });
});

describe('runs', () => {
  test('the first outcome of a run stands', async () => {
    const store = await tempStore();
    await store.commit(statements.acceptMessage(inboxRow('1')));
    const first = { status: 'ok', at: AT + 1, result: { text: 'done', usage: null } } as const;
    const second = { status: 'error', at: AT + 2, error: { code: 'X', message: 'late' } } as const;
    expect(await changesOf(store, statements.settleRun('run-1', first))).toEqual([1]);
    expect(await changesOf(store, statements.settleRun('run-1', first))).toEqual([0]);
    expect(await changesOf(store, statements.settleRun('run-1', second))).toEqual([0]);
    expect(store.read.run('run-1')).toEqual({
      runId: 'run-1',
      sessionKey: KEY,
      status: 'ok',
      acceptedAt: AT,
      endedAt: AT + 1,
      result: { text: 'done', usage: null },
    });
  });

  test('a failed run keeps its error', async () => {
    const store = await tempStore();
    await store.commit(statements.acceptMessage(inboxRow('1')));
    const error = { code: 'MODEL_FAILED', message: 'no answer' };
    await store.commit(statements.settleRun('run-1', { status: 'error', at: AT + 1, error }));
    expect(store.read.run('run-1')).toMatchObject({ status: 'error', error });
    expect(store.read.run('run-1')).not.toHaveProperty('result');
  });

  test('a run nobody accepted is neither settled nor found', async () => {
    const store = await tempStore();
    expect(await changesOf(store, statements.settleRun('ghost', { status: 'ok', at: AT }))).toEqual([0]);
    expect(store.read.run('ghost')).toBeUndefined();
  });
});

describe('sessions and their transcript', () => {
  const touch = (at: number, sessionId = 'life-1') =>
    statements.touchSession({ sessionKey: KEY, sessionId, agentId: 'main', at });

  test('a settled turn that is written twice is there once, and counted once', async () => {
    const store = await tempStore();
    const turn = [...touch(AT), ...statements.appendTranscript([transcriptRow(0), transcriptRow(1)])];
    expect(await changesOf(store, turn)).toEqual([1, 1, 1]);
    expect(await changesOf(store, turn)).toEqual([1, 0, 0]);
    const history = store.read.history(KEY, 'life-1', 10);
    expect(history).toEqual([
      { ...transcriptRow(0), seq: history[0]?.seq },
      { ...transcriptRow(1), seq: history[1]?.seq },
    ]);
    expect(store.read.session(KEY)?.messageCount).toBe(2);
  });

  test('the count is right too when the transcript is written before the session', async () => {
    const store = await tempStore();
    await store.commit([...statements.appendTranscript([transcriptRow(0), transcriptRow(1)]), ...touch(AT)]);
    await store.commit(statements.appendTranscript([transcriptRow(2)]));
    expect(store.read.session(KEY)?.messageCount).toBe(3);
  });

  test('a touched session keeps its id and its birth, and never becomes younger', async () => {
    const store = await tempStore();
    await store.commit(touch(AT));
    await store.commit(touch(AT + 10, 'life-2'));
    await store.commit(touch(AT + 3));
    expect(store.read.session(KEY)).toEqual({
      sessionKey: KEY,
      sessionId: 'life-1',
      agentId: 'main',
      createdAt: AT,
      updatedAt: AT + 10,
      messageCount: 0,
    });
  });

  test('a reset session begins an empty transcript and the old one stays readable', async () => {
    const store = await tempStore();
    await store.commit([...touch(AT), ...statements.appendTranscript([transcriptRow(0)])]);
    const reset = statements.resetSession(KEY, 'life-2', AT + 1);
    expect(await changesOf(store, reset)).toEqual([1]);
    await store.commit(reset);
    expect(store.read.session(KEY)).toMatchObject({
      sessionId: 'life-2',
      messageCount: 0,
      updatedAt: AT + 1,
    });
    expect(store.read.history(KEY, 'life-1', 10)).toHaveLength(1);
    expect(store.read.history(KEY, 'life-2', 10)).toEqual([]);
  });

  test('a deleted session is gone with all that hung on it, its waiting messages end, its runs stay', async () => {
    const store = await tempStore();
    const facts = { phase: 'idle' };
    await store.commit([
      ...touch(AT),
      ...statements.appendTranscript([transcriptRow(0)]),
      ...statements.putCheckpoint({ machine: 'session', key: KEY, version: 1, at: AT, facts }),
      ...statements.putCheckpoint({ machine: 'heartbeat', key: KEY, version: 1, at: AT, facts }),
      ...statements.acceptMessage(inboxRow('1')),
      ...statements.acceptMessage(inboxRow('2')),
      ...statements.acceptMessage(inboxRow('3', { sessionKey: 'other' })),
      ...statements.settleRun('run-1', { status: 'ok', at: AT }),
      ...statements.settleMessage('console/default/1', 'done', AT),
    ]);
    const deletion = statements.deleteSession(KEY, AT + 1);
    await store.commit(deletion);
    await store.commit(deletion);
    expect(store.read.session(KEY)).toBeUndefined();
    expect(store.read.history(KEY, 'life-1', 10)).toEqual([]);
    expect(store.read.checkpoint('session', KEY)).toBeUndefined();
    expect(store.read.checkpoint('heartbeat', KEY)).toBeDefined();
    expect(store.read.message('console/default/1')?.status).toBe('done');
    expect(store.read.message('console/default/2')?.status).toBe('dead');
    expect(store.read.run('run-1')?.status).toBe('ok');
    expect(store.read.run('run-2')).toMatchObject({ status: 'aborted', endedAt: AT + 1 });
    expect(store.read.pendingSessions()).toEqual([{ sessionKey: 'other', agentId: 'main', count: 1 }]);
    expect(store.read.run('run-3')?.status).toBe('accepted');
  });

  test('history gives the last rows of one life, oldest first', async () => {
    const store = await tempStore();
    const rows = [0, 1, 2, 3, 4].map((ordinal) => transcriptRow(ordinal));
    await store.commit(statements.appendTranscript(rows));
    await store.commit(
      statements.appendTranscript([transcriptRow(0, { sessionKey: 'other', runId: 'run-9' })]),
    );
    expect(store.read.history(KEY, 'life-1', 2).map((row) => row.ordinal)).toEqual([3, 4]);
    expect(store.read.history(KEY, 'life-1', 99).map((row) => row.ordinal)).toEqual([0, 1, 2, 3, 4]);
  });

  test('sessions are listed by latest activity, and by agent, time and words of their key', async () => {
    const store = await tempStore();
    const make = (sessionKey: string, agentId: string, at: number) =>
      statements.touchSession({ sessionKey, sessionId: `id-${sessionKey}`, agentId, at });
    await store.commit([
      ...make('A:one', 'a', AT),
      ...make('a:TWO', 'a', AT + 2),
      ...make('b:one%', 'b', AT + 1),
    ]);
    const keys = (query?: Parameters<OpenStore['read']['sessions']>[0]): string[] =>
      store.read.sessions(query).map((row) => row.sessionKey);
    expect(keys()).toEqual(['a:TWO', 'b:one%', 'A:one']);
    expect(keys({ limit: 2 })).toEqual(['a:TWO', 'b:one%']);
    expect(keys({ agentId: 'a' })).toEqual(['a:TWO', 'A:one']);
    expect(keys({ activeSince: AT + 1 })).toEqual(['a:TWO', 'b:one%']);
    expect(keys({ search: 'two' })).toEqual(['a:TWO']);
    expect(keys({ search: '%' })).toEqual(['b:one%']);
    expect(keys({ agentId: 'a', search: 'one', activeSince: AT })).toEqual(['A:one']);
    expect(store.read.countSessions()).toBe(3);
  });
});

describe('tools, checkpoints, outbox', () => {
  test('a tool call has its intent first and its first outcome for good', async () => {
    const store = await tempStore();
    const intent = {
      runId: 'run-1',
      toolCallId: 'c1',
      toolName: 'exec',
      input: { cmd: 'ls' },
      idempotent: false,
      intentAt: AT,
    };
    expect(await changesOf(store, statements.toolIntent(intent))).toEqual([1]);
    expect(await changesOf(store, statements.toolIntent({ ...intent, input: 'other' }))).toEqual([0]);
    expect(store.read.toolJournal('run-1')).toEqual([intent]);
    const outcome = { at: AT + 1, output: ['a', 'b'], isError: false };
    expect(await changesOf(store, statements.toolOutcome('run-1', 'c1', outcome))).toEqual([1]);
    const late = { at: AT + 2, output: 'late', isError: true };
    expect(await changesOf(store, statements.toolOutcome('run-1', 'c1', late))).toEqual([0]);
    const settled = { ...intent, outcomeAt: AT + 1, output: ['a', 'b'], isError: false };
    expect(store.read.toolJournal('run-1')).toEqual([settled]);
  });

  test('tool calls of a run come in the order of their intents', async () => {
    const store = await tempStore();
    const call = (toolCallId: string) =>
      statements.toolIntent({
        runId: 'r',
        toolCallId,
        toolName: 't',
        input: undefined,
        idempotent: true,
        intentAt: AT,
      });
    await store.commit([...call('z'), ...call('a'), ...call('m')]);
    expect(store.read.toolJournal('r').map((row) => row.toolCallId)).toEqual(['z', 'a', 'm']);
    expect(store.read.toolJournal('r')[0]).toMatchObject({ idempotent: true, input: undefined });
  });

  test('a checkpoint is replaced by the next one and dropped on request', async () => {
    const store = await tempStore();
    const row = { machine: 'restart', key: 'k', version: 1, at: AT, facts: { step: 1 } };
    await store.commit(statements.putCheckpoint(row));
    await store.commit(statements.putCheckpoint({ ...row, version: 2, facts: { step: 2 } }));
    expect(store.read.checkpoint('restart', 'k')).toEqual({ ...row, version: 2, facts: { step: 2 } });
    expect(await changesOf(store, statements.dropCheckpoint('restart', 'k'))).toEqual([1]);
    expect(await changesOf(store, statements.dropCheckpoint('restart', 'k'))).toEqual([0]);
    expect(store.read.checkpoint('restart', 'k')).toBeUndefined();
  });

  test('what is to be delivered comes when it is due, what a dead life was sending included', async () => {
    const store = await tempStore();
    expect(store.read.nextDeliveryAt()).toBeUndefined();
    const rows = [
      outboxRow('later', { nextAt: AT + 500 }),
      outboxRow('now'),
      outboxRow('half', { status: 'sending', nextAt: AT - 1, attempts: 1 }),
      outboxRow('gone', { status: 'sent', nextAt: AT - 9, platformId: 'p' }),
      outboxRow('lost', { status: 'unknown', nextAt: AT - 9, error: 'cut' }),
    ];
    await store.commit(rows.flatMap((row) => statements.addDelivery(row)));
    expect(store.read.dueDeliveries(AT, 10)).toEqual([rows[2], rows[1]]);
    expect(store.read.dueDeliveries(AT, 1).map((row) => row.deliveryId)).toEqual(['half']);
    expect(store.read.nextDeliveryAt()).toBe(AT - 1);
    expect(store.read.countDeliveries()).toEqual({
      prepared: 2,
      sending: 1,
      sent: 1,
      unknown: 1,
      failed_permanent: 0,
      expired: 0,
    });
  });

  test('a delivery is added once, and what was sent stays sent', async () => {
    const store = await tempStore();
    await store.commit(statements.addDelivery(outboxRow('d')));
    expect(await changesOf(store, statements.addDelivery(outboxRow('d', { target: 'other' })))).toEqual([0]);
    const failed = { status: 'prepared', attempts: 1, nextAt: AT + 50, error: 'refused' } as const;
    await store.commit(statements.updateDelivery('d', failed));
    expect(store.read.dueDeliveries(AT + 50, 1)).toEqual([outboxRow('d', failed)]);
    const sent = { status: 'sent', attempts: 2, nextAt: AT + 50, platformId: 'p-1' } as const;
    await store.commit(statements.updateDelivery('d', sent));
    expect(await changesOf(store, statements.updateDelivery('d', failed))).toEqual([0]);
    expect(store.read.nextDeliveryAt()).toBeUndefined();
    expect(store.read.countDeliveries()).toMatchObject({ sent: 1, prepared: 0 });
  });
});

test('times with fractions are cut to whole milliseconds', async () => {
  const store = await tempStore();
  await store.commit(statements.acceptMessage(inboxRow('1', { receivedAt: AT + 0.75 })));
  expect(store.read.message('console/default/1')?.receivedAt).toBe(AT);
});

test('what JSON cannot hold is refused by name when the statement is built', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  let deep: unknown = 0;
  for (let level = 0; level < 200_000; level += 1) deep = [deep];
  expect(() => statements.acceptMessage(inboxRow('1', { options: cycle }))).toThrow(
    /options cannot be stored/,
  );
  expect(() => statements.addDelivery(outboxRow('d', { payload: 1n }))).toThrow(/payload cannot be stored/);
  expect(() => statements.addDelivery(outboxRow('d', { payload: deep }))).toThrow(/nested too deep/);
});

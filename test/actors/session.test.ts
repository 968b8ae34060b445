import { afterEach, describe, expect, it } from 'vitest';
import { sessionPath } from '../../src/actors/paths.ts';
import { CoppiceError } from '../../src/errors.ts';
import { turnMessage } from '../../src/machines/offered.ts';
import { openSessions, said, undecided, type Sessions } from './session-house.ts';

let house: Sessions | undefined;
afterEach(async () => {
  await house?.close();
  house = undefined;
});
const open = async (options: Parameters<typeof openSessions>[0] = {}): Promise<Sessions> =>
  (house = await openSessions(options));
const aborted = { ...said('half'), status: 'aborted', stopReason: 'aborted' } as const;

describe('a session over a real store', () => {
  it('commits transcript, run, inbox and session together, and speaks in rising numbers', async () => {
    const { say, is, end, settled, deps, transcript, signals } = await open();
    const message = await say('k', 1);
    await is('k', 'working');
    end('k');
    await settled('k', 1);
    expect(deps.store.read.run('run-k-1')).toMatchObject({
      status: 'ok',
      result: { text: 'answer of k', stopReason: 'stop', usage: { total: 3 } },
    });
    expect(deps.store.read.message(message.messageId)?.status).toBe('done');
    expect(transcript('k')).toEqual(['user: text 1', 'assistant: answer of k']);
    await is('k', 'idle');
    expect(signals.map(({ kind, seq }) => `${seq} ${kind}`)).toEqual(['1 started', '2 ended']);
  });

  it('a message that is in the inbox and announced twice has one turn', async () => {
    const { accept, door, is, end, settled, starts } = await open();
    const message = await accept('k', 1);
    door.deliver('k', 'main', message);
    door.deliver('k', 'main', message);
    await is('k', 'working');
    end('k');
    await settled('k', 1);
    door.deliver('k', 'main', message);
    await is('k', 'idle');
    expect(starts).toHaveLength(1);
  });

  it('a killed run begins again in the same session, three times, then the turn ends as an error and the next message runs', async () => {
    const { say, is, crash, clock, settled, status, deps, signals, starts, runOf } = await open();
    await say('k', 1);
    await say('k', 2);
    for (let crashes = 1; crashes <= 3; crashes++) {
      await is('k', 'working');
      await crash(runOf('k'));
      await clock.advanceAsync(400);
    }
    await settled('k', 1);
    expect(status('k', 1)).toBe('error');
    expect(deps.registry.incarnation(sessionPath('k'))).toBe(1);
    await is('k', 'working');
    expect(starts).toHaveLength(4);
    const ofFirst = signals.filter(({ runId }) => runId === 'run-k-1');
    expect(ofFirst.map(({ seq, kind }) => `${seq} ${kind}`)).toEqual([
      '1 started',
      '2 restarted',
      '3 restarted',
      '4 ended',
    ]);
  });

  it('killed in the middle of its commit, it finds the message again and settles it once', async () => {
    const { say, is, end, settled, crash, failCommits, transcript, starts } = await open();
    await say('k', 1);
    await is('k', 'working');
    let reached = false;
    // It is on disk, but the session is dead before it hears of it.
    failCommits(async (real, statements) => {
      await real(statements);
      reached = true;
      return new Promise(() => undefined);
    });
    end('k');
    await house?.until('the commit is under way', () => reached);
    failCommits(undefined);
    await crash(sessionPath('k'));
    await settled('k', 1);
    await is('k', 'idle');
    expect(transcript('k')).toEqual(['user: text 1', 'assistant: answer of k']);
    expect(starts).toHaveLength(1);
  });

  it('killed in the middle of a commit that was never written, it runs the message again, and the transcript has it once', async () => {
    const { say, is, end, settled, crash, failCommits, transcript, starts } = await open();
    await say('k', 1);
    await is('k', 'working');
    let reached = false;
    failCommits(async () => {
      reached = true;
      return new Promise(() => undefined);
    });
    end('k');
    await house?.until('the commit is under way', () => reached);
    failCommits(undefined);
    await crash(sessionPath('k'));
    await is('k', 'working');
    end('k');
    await settled('k', 1);
    expect(transcript('k')).toEqual(['user: text 1', 'assistant: answer of k']);
    expect(starts).toHaveLength(2);
  });

  it('a commit whose fate is unknown is repeated and written once', async () => {
    const { say, is, end, failCommits, transcript, factsOf, clock } = await open();
    await say('k', 1);
    await is('k', 'working');
    let failed = 0;
    failCommits(async (real, statements) => {
      await real(statements);
      if (failed++ < 2) throw new CoppiceError('STORE_UNKNOWN', {});
      return [];
    });
    end('k');
    await house?.until('it was told twice', () => failed === 1);
    await clock.advanceAsync(300);
    await house?.until('it was told thrice', () => failed === 2);
    await clock.advanceAsync(600);
    await is('k', 'idle');
    expect(transcript('k')).toEqual(['user: text 1', 'assistant: answer of k']);
    expect(factsOf('session.settle_failed')).toHaveLength(2);
  });

  it('a question is asked once, survives the death of its session, and its answer settles both', async () => {
    const { say, is, end, settled, crash, transcript, status, clock, deps } = await open();
    await say('k', 1);
    await is('k', 'working');
    end('k', undecided);
    await is('k', 'waiting');
    await crash(sessionPath('k'));
    await is('k', 'working');
    end('k', undecided);
    await is('k', 'waiting');
    expect(transcript('k')).toEqual(['user: text 1', 'assistant: Send it again?']);
    await clock.advanceAsync(10);
    await say('k', 2, 'retry');
    await is('k', 'working');
    expect(deps.registry.peek(`${sessionPath('k')}/run`)).toBeDefined();
    end('k', said('sent'));
    await settled('k', 1);
    expect([status('k', 1), status('k', 2)]).toEqual(['ok', 'ok']);
    expect(transcript('k')).toEqual([
      'user: text 1',
      'assistant: Send it again?',
      'user: retry',
      'assistant: sent',
    ]);
  });

  it('an answer given while the session is dead is found in the inbox and taken as the answer', async () => {
    const { say, is, end, settled, crash, accept, status, clock } = await open();
    await say('k', 1);
    await is('k', 'working');
    end('k', undecided);
    await is('k', 'waiting');
    await clock.advanceAsync(10);
    await accept('k', 2, 'skip it');
    await crash(sessionPath('k'));
    await is('k', 'working');
    end('k', undecided);
    await house?.until('it decided', () => house?.starts.length === 3);
    end('k', said('left alone'));
    await settled('k', 2);
    expect([status('k', 1), status('k', 2)]).toEqual(['ok', 'ok']);
  });

  it('a heartbeat that only says it is well leaves no transcript, but its outcome', async () => {
    const { accept, door, is, end, settled, transcript, status } = await open();
    door.deliver('k', 'main', await accept('k', 1, 'anything to do?', 'heartbeat'));
    await is('k', 'working');
    end('k', said('HEARTBEAT_OK'));
    await settled('k', 1);
    expect(status('k', 1)).toBe('ok');
    expect(transcript('k')).toEqual([]);
    door.deliver('k', 'main', await accept('k', 2, 'anything to do?', 'heartbeat'));
    await is('k', 'working');
    end('k', said('Your train is late.'));
    await settled('k', 2);
    expect(transcript('k')).toEqual(['user: anything to do?', 'assistant: Your train is late.']);
  });

  it('adds what the channels need to the same transaction', async () => {
    const seen: string[] = [];
    const { say, is, end, settled, deps } = await open({
      alsoCommit: ({ messages, outcome, at }) => {
        seen.push(`${messages[0]?.runId} ${outcome.status}`);
        return house!.deps.store.statements.putCheckpoint({
          machine: 'test',
          key: 'delivery',
          version: 1,
          at,
          facts: {},
        });
      },
      committed: () => seen.push('committed'),
    });
    await say('k', 1);
    await is('k', 'working');
    end('k');
    await settled('k', 1);
    await is('k', 'idle');
    expect(seen).toEqual(['run-k-1 ok', 'committed']);
    expect(deps.store.read.checkpoint('test', 'delivery')).toBeDefined();
  });
});

describe('a session with what came beside a text', () => {
  const offer = async (house: Sessions, sessionKey: string, options: Record<string, unknown>) => {
    const { deps, clock, door } = house;
    const row = {
      messageId: `openai/default/${sessionKey}`,
      runId: `run-${sessionKey}-1`,
      sessionKey,
      agentId: 'main',
      channel: 'openai',
      account: 'default',
      platformId: '1',
      source: 'user',
      text: 'hello',
      options,
      trace: deps.ids.trace(),
      receivedAt: clock.now(),
    } as const;
    await deps.store.commit(deps.store.statements.acceptMessage(row));
    door.deliver(sessionKey, 'main', turnMessage(row, row.receivedAt));
    await house.is(sessionKey, 'working');
  };
  const handedOver = {
    ...said('Let me look.'),
    messages: [
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Let me look.' },
          { type: 'tool-call', toolCallId: 'c1', toolName: 'look', input: { at: 'x' } },
        ],
      },
    ],
    stopReason: 'tool-calls',
  } as const;

  it('that lives for one message keeps its outcome and nothing else, and goes with the next tick', async () => {
    const here = await open();
    await offer(here, 'ephemeral:1', { ephemeral: true, said: [] });
    here.end('ephemeral:1');
    await here.settled('ephemeral:1', 1);
    const { read } = here.deps.store;
    expect(read.run('run-ephemeral:1-1')).toMatchObject({
      status: 'ok',
      result: { text: 'answer of ephemeral:1' },
    });
    expect(read.message('openai/default/ephemeral:1')?.status).toBe('done');
    expect(read.session('ephemeral:1')).toBeUndefined();
    expect(read.sessions()).toEqual([]);
    await here.is('ephemeral:1', 'idle');
    here.supervision.registry.tell(sessionPath('ephemeral:1'), {
      type: 'clock.tick',
      atMs: here.clock.now(),
    } as {
      type: string;
    });
    await here.until('it is gone', () => here.state('ephemeral:1') === undefined);
  });

  it('records the calls it hands over with the outcome, for whoever repeats', async () => {
    const here = await open();
    await offer(here, 'k', {});
    here.end('k', handedOver);
    await here.settled('k', 1);
    expect(here.deps.store.read.run('run-k-1')?.result).toMatchObject({
      stopReason: 'tool-calls',
      calls: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'look', input: { at: 'x' } }],
    });
  });

  it('remembers what was said in place of the text', async () => {
    const here = await open();
    const result = { type: 'tool-result', toolCallId: 'c1', toolName: 'look', output: 'nothing' };
    await offer(here, 'k', { said: [{ role: 'tool', content: [result] }] });
    here.end('k');
    await here.settled('k', 1);
    expect(here.transcript('k')).toEqual(['tool: tool-result', 'assistant: answer of k']);
  });
});

describe('the door to sessions', () => {
  it('aborts what runs: the run is asked, what it said is kept, and the caller is answered after the commit', async () => {
    const { say, is, end, door, status, transcript } = await open();
    await say('k', 1);
    await is('k', 'working');
    const answer = door.abort('k', 'run-k-1');
    await is('k', 'ending');
    end('k', aborted);
    expect(await answer).toEqual({ aborted: true, runIds: ['run-k-1'] });
    expect(status('k', 1)).toBe('aborted');
    expect(transcript('k')).toEqual(['user: text 1', 'assistant: half']);
  });

  it('aborts a run that hangs: after its grace it is stopped, the slot is free, the next message runs', async () => {
    const { say, is, door, clock, deps, lane, starts } = await open({ lanes: { main: 1 } });
    await say('k', 1);
    await is('k', 'working');
    await say('k', 2);
    const answer = door.abort('k', 'run-k-1');
    await is('k', 'ending');
    await clock.advanceAsync(5_000);
    expect(await answer).toMatchObject({ aborted: true });
    await is('k', 'working');
    expect(deps.registry.incarnation(`${sessionPath('k')}/run`)).toBe(2);
    expect(starts).toHaveLength(2);
    expect(lane('main').holders).toHaveLength(1);
  });

  it('aborts what only the inbox knows, by starting the session; and starts nothing when there is nothing', async () => {
    const { accept, door, status, state, clock } = await open({ lanes: { other: 1 } });
    expect(await door.abort('nobody')).toEqual({ aborted: false, runIds: [] });
    expect(state('nobody')).toBeUndefined();
    await accept('k', 1);
    await accept('k', 2);
    const answer = door.abort('k');
    await clock.settle();
    expect(await answer).toMatchObject({ aborted: true });
    expect([status('k', 1), status('k', 2)]).toEqual(['aborted', 'aborted']);
  });

  it('resets: the old transcript stays under the old id, the new one is empty', async () => {
    const { say, is, end, settled, door, transcript, deps, answered } = await open();
    await say('k', 1);
    await is('k', 'working');
    end('k');
    await settled('k', 1);
    const before = deps.store.read.session('k')?.sessionId ?? '';
    const { sessionId } = await answered(door.reset('k'));
    expect(sessionId).not.toBe(before);
    expect(deps.store.read.session('k')?.sessionId).toBe(sessionId);
    expect(transcript('k')).toEqual([]);
    expect(deps.store.read.history('k', before, 10)).toHaveLength(2);
    expect(await answered(door.reset('unheard'))).toHaveProperty('sessionId');
  });

  it('deletes: what waited has an outcome, the session is gone, and a new message begins a new one', async () => {
    const { say, is, door, end, status, deps, state, settled, answered } = await open();
    await say('k', 1);
    await is('k', 'working');
    await say('k', 2);
    const answer = door.delete('k');
    await is('k', 'ending');
    end('k', aborted);
    expect(await answer).toEqual({ deleted: true });
    await house?.until('it is gone', () => state('k') === undefined);
    expect([status('k', 1), status('k', 2)]).toEqual(['aborted', 'aborted']);
    expect(deps.store.read.session('k')).toBeUndefined();
    expect(await answered(door.delete('k'))).toEqual({ deleted: false });
    await say('k', 3);
    await is('k', 'working');
    end('k');
    await settled('k', 3);
    expect(deps.store.read.session('k')).toBeDefined();
  });

  it('tells whoever asked when the session dies before it answers, and when it does not answer in time', async () => {
    const { say, is, door, crash, clock } = await open({ answerMs: 3_000 });
    await say('k', 1);
    await is('k', 'working');
    const dying = expect(door.abort('k')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: expect.stringContaining('it ended before it answered') },
    });
    await is('k', 'ending');
    await crash(sessionPath('k'));
    await dying;
    await is('k', 'working');
    const slow = expect(door.reset('k')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'no answer within 3000 ms' },
    });
    await is('k', 'ending');
    await clock.advanceAsync(3_000);
    await slow;
    expect(door.waiting).toBe(0);
  });

  it('names a session that is held down because it crashed again and again; its messages stay in the inbox', async () => {
    const { say, is, crash, clock, door, deps } = await open({ intensity: 1 });
    await say('k', 1);
    await is('k', 'working');
    await crash(sessionPath('k'));
    await is('k', 'working');
    await crash(sessionPath('k'));
    await clock.settle();
    await expect(say('k', 2)).rejects.toMatchObject({
      code: 'SESSION_QUARANTINED',
      details: { sessionKey: 'k' },
    });
    await expect(door.reset('k')).rejects.toMatchObject({ code: 'SESSION_QUARANTINED' });
    expect(door.waiting).toBe(0);
    expect(deps.store.read.pendingMessages('k')).toHaveLength(2);
  });

  it('wakes a session for what the inbox holds, and one that lives looks again', async () => {
    const { accept, door, is, end, settled, starts } = await open();
    await accept('k', 1);
    door.wake('k', 'main');
    await is('k', 'working');
    await accept('k', 2);
    door.wake('k', 'main');
    end('k');
    await settled('k', 1);
    await is('k', 'working');
    end('k');
    await settled('k', 2);
    await is('k', 'idle');
    await accept('k', 3);
    door.wake('k', 'main');
    await is('k', 'working');
    expect(starts).toHaveLength(3);
  });

  it('a passivated session comes back for the next message, with its record', async () => {
    const { say, is, end, settled, deps, clock, state, transcript } = await open();
    await say('k', 1);
    await is('k', 'working');
    end('k');
    await settled('k', 1);
    await is('k', 'idle');
    deps.registry.tell(sessionPath('k'), { type: 'clock.tick', atMs: clock.now() + 60_000 } as {
      type: string;
    });
    await house?.until('it is passive', () => state('k') === undefined);
    await say('k', 2);
    await is('k', 'working');
    end('k');
    await settled('k', 2);
    expect(transcript('k')).toHaveLength(4);
  });
});

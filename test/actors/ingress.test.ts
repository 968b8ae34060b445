import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDoor } from '../../src/actors/door.ts';
import type { Door } from '../../src/actors/door.ts';
import { gateChild } from '../../src/actors/gate.ts';
import { ingressChild } from '../../src/actors/ingress.ts';
import { PATHS } from '../../src/actors/paths.ts';
import { CoppiceError } from '../../src/errors.ts';
import { gateMachine } from '../../src/machines/gate.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { callbackEffect } from '../../src/host/index.ts';
import { openHouse, offerOf } from './house.ts';
import type { House } from './house.ts';

let house: House;
let door: Door;
let delivered: string[];
let woken: string[];
let refuseSession: (() => CoppiceError) | undefined;

const sessions = {
  deliver(sessionKey: string, _agentId: string, message: { messageId: string }) {
    if (refuseSession) throw refuseSession();
    delivered.push(`${sessionKey} ${message.messageId}`);
  },
  wake(sessionKey: string) {
    if (refuseSession) throw refuseSession();
    woken.push(sessionKey);
  },
};

const startHouse = async (): Promise<void> => {
  house = await openHouse();
  door = createDoor(house.deps);
  [delivered, woken, refuseSession] = [[], [], undefined];
};
const startTree = (): Promise<void> =>
  house.start({ work: [ingressChild(house.deps, door, sessions)], gate: gateChild(house.deps, door) });
const open = (): Promise<void> =>
  house.until('the gate opens', () => house.at(PATHS.gate, gateMachine)?.value === 'open');
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'resolved',
    (error: CoppiceError) => error.code,
  );

beforeEach(startHouse);
afterEach(async () => {
  door.close();
  await house.close();
});

describe('the way in', () => {
  it('answers a message only after it is on disk, and hands it to its session', async () => {
    await startTree();
    await open();
    const accepted = await door.offer(offerOf('m1'));
    expect(accepted).toMatchObject({ kind: 'accepted', runId: 'run-m1' });
    expect(house.store.read.pendingMessages('agent:main:main').map((row) => row.messageId)).toEqual([
      'webchat/default/m1',
    ]);
    expect(delivered).toEqual(['agent:main:main webchat/default/m1']);
    expect(house.factsOf('message.queued')).toMatchObject([
      { messageId: 'webchat/default/m1', queueDepth: 1, runId: 'run-m1' },
    ]);
    expect(door.waiting).toBe(0);
  });

  it('gives a repeated message the record of the first, and hands it over again only while it waits', async () => {
    await startTree();
    await open();
    await door.offer(offerOf('m1'));
    const again = await door.offer(offerOf('m1', { runId: 'another' }));
    expect(again).toMatchObject({ kind: 'known', runId: 'run-m1', run: { status: 'accepted' } });
    expect(delivered).toHaveLength(2);
    const { statements } = house.store;
    await house.store.commit([
      ...statements.settleMessage('webchat/default/m1', 'done', 5),
      ...statements.settleRun('run-m1', { status: 'ok', at: 5 }),
    ]);
    expect(await door.offer(offerOf('m1'))).toMatchObject({ kind: 'known', run: { status: 'ok' } });
    expect(delivered).toHaveLength(2);
    expect(house.factsOf('message.duplicate')).toHaveLength(2);
  });

  it('hands over what an earlier life accepted before the gate opens', async () => {
    const row = {
      ...offerOf('old'),
      messageId: 'webchat/default/old',
      trace: house.deps.ids.trace(),
      receivedAt: 1,
    };
    await house.store.commit(house.store.statements.acceptMessage(row));
    await startTree();
    await open();
    expect(woken).toEqual(['agent:main:main']);
    expect(house.factsOf('inbox.taken_up')).toMatchObject([{ sessions: 1, messages: 1 }]);
  });

  it('takes many messages at once, each answered once', async () => {
    await startTree();
    await open();
    const offers = Array.from({ length: 200 }, (_, index) =>
      offerOf(`m${index}`, { sessionKey: `agent:main:${index % 20}` }),
    );
    const answers = await Promise.all(offers.map((offer) => door.offer(offer)));
    expect(answers.every((answer) => answer.kind === 'accepted')).toBe(true);
    expect(new Set(delivered).size).toBe(200);
  });

  it('refuses a message for a session that has too many waiting, and takes those of others', async () => {
    await startTree();
    await open();
    const offers = Array.from({ length: LIMITS.queuePerSession + 5 }, (_, index) => offerOf(`m${index}`));
    const codes = await Promise.all(offers.map((offer) => codeOf(door.offer(offer))));
    expect(codes.filter((code) => code === 'OVERLOADED')).toHaveLength(5);
    expect(await codeOf(door.offer(offerOf('later')))).toBe('OVERLOADED');
    expect(await codeOf(door.offer(offerOf('other', { sessionKey: 'agent:main:other' })))).toBe('resolved');
  });
});

describe('the way in, when something fails', () => {
  it('writes again when the writer died under a write, and the message counts as new though the first write had landed', async () => {
    await startTree();
    await open();
    let calls = 0;
    house.failCommits(async (real, statements) => {
      calls += 1;
      const results = await real(statements);
      if (calls === 1) throw new CoppiceError('STORE_UNKNOWN', { reason: 'the writer died' });
      return results;
    });
    expect(await door.offer(offerOf('m1'))).toMatchObject({ kind: 'accepted' });
    expect(calls).toBe(2);
    expect(delivered).toHaveLength(1);
  });

  it('refuses after a bounded number of writes, acknowledges nothing, and the sender may come again', async () => {
    await startTree();
    await open();
    let calls = 0;
    house.failCommits(async () => {
      calls += 1;
      throw new CoppiceError('STORE_UNKNOWN', { reason: 'the writer died' });
    });
    expect(await codeOf(door.offer(offerOf('m1')))).toBe('UNAVAILABLE');
    expect(calls).toBe(LIMITS.writeAttempts);
    expect(house.factsOf('ingress.commit_failed')).toHaveLength(1);
    expect(delivered).toEqual([]);
    house.failCommits(undefined);
    expect(await codeOf(door.offer(offerOf('m1')))).toBe('resolved');
  });

  it('tells every waiting sender when the ingress crashes, closes the gate, and opens it again when the next one is ready', async () => {
    await startTree();
    await open();
    house.failCommits(() => new Promise(() => undefined));
    const codes = [door.offer(offerOf('m1')), door.offer(offerOf('m2'))].map(codeOf);
    await house.clock.settle();
    await house.crash(PATHS.ingress);
    expect(await Promise.all(codes)).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
    expect(door.waiting).toBe(0);
    house.failCommits(undefined);
    await open();
    expect(house.factsOf('gate.closed').length).toBeGreaterThan(0);
    expect(await codeOf(door.offer(offerOf('m1')))).toBe('resolved');
  });

  it('tells the sender when the gate crashes under its message, and a new gate takes messages again', async () => {
    await startTree();
    await open();
    house.failCommits(() => new Promise(() => undefined));
    const code = codeOf(door.offer(offerOf('m1')));
    await house.clock.settle();
    await house.crash(PATHS.gate);
    expect(await code).toBe('UNAVAILABLE');
    house.failCommits(undefined);
    await open();
    expect(await codeOf(door.offer(offerOf('m2')))).toBe('resolved');
  });

  it('rejects at once when there is no gate, and after its deadline when nobody answers', async () => {
    expect(await codeOf(door.offer(offerOf('m1')))).toBe('UNAVAILABLE');
    await startTree();
    await open();
    house.failCommits(() => new Promise(() => undefined));
    const code = codeOf(door.offer(offerOf('m2')));
    await house.clock.advanceAsync(LIMITS.offerDeadlineMs + 1);
    expect(await code).toBe('UNAVAILABLE');
  });

  it('says draining once the gate was stopped on purpose', async () => {
    await startTree();
    await open();
    const { admin } = house.supervision;
    await Promise.all([admin('gateway/core', { type: 'terminate_child', id: 'gate' }), house.clock.settle()]);
    await house.clock.settle();
    expect(await codeOf(door.offer(offerOf('m1')))).toBe('DRAINING');
  });

  it('says draining while the gate drains', async () => {
    await startTree();
    await open();
    house.deps.registry.tell(PATHS.gate, { type: 'gate.close', reason: 'restart', atMs: 0 } as never);
    expect(await codeOf(door.offer(offerOf('m1')))).toBe('DRAINING');
    expect(house.store.read.pendingMessages('agent:main:main')).toEqual([]);
    expect(house.factsOf('message.refused')).toMatchObject([{ code: 'DRAINING' }]);
  });

  it('keeps a message whose session could not be had, and hands it over at a later sweep', async () => {
    await startTree();
    await open();
    refuseSession = () => new CoppiceError('OVERLOADED', { where: 'sessions', limit: 1 });
    expect(await codeOf(door.offer(offerOf('m1')))).toBe('resolved');
    refuseSession = undefined;
    house.deps.registry.tell(PATHS.ingress, { type: 'clock.tick', atMs: house.clock.now() } as never);
    await house.until('the sweep', () => woken.length > 0);
    expect(woken).toEqual(['agent:main:main']);
    expect(delivered).toEqual([]);
  });

  it('refuses messages for a session that is held down, with what to do about it', async () => {
    const doomed = callbackEffect(({ fail }) => fail(new Error('it crashes')));
    const held = house.supervision.supervisor({
      strategy: 'one_for_one',
      intensity: 1,
      periodMs: 60_000,
      onExhausted: 'park',
      children: [{ id: 'agent:main:main', logic: doomed }],
    });
    await house.start({
      work: [{ id: 'sessions', type: 'supervisor', logic: held }, ingressChild(house.deps, door, sessions)],
      gate: gateChild(house.deps, door),
    });
    await open();
    const refused = await door.offer(offerOf('m1')).catch((error: CoppiceError) => error);
    expect(refused).toMatchObject({ code: 'SESSION_QUARANTINED' });
    expect((refused as CoppiceError).remedy).toContain('coppice explain agent:main:main');
  });
});

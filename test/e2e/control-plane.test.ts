import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TreeNode } from '../../src/index.ts';
import { type Gateway, startGateway } from './harness.ts';
import { allRunning, exchangeFaults, historyOf, newKey, nodeAt, nodesOf, say, settled } from './talk.ts';
import { eventually, type Wire } from './wire.ts';

const CORE = 'gateway/core';

/** Without whom no turn can be accepted and completed, and by which word `/readyz` then names what is missing. */
const NEEDED: Readonly<Record<string, string>> = {
  '': 'store',
  '/foundation': 'store',
  '/foundation/store': 'store',
  '/work': 'sessions',
  '/work/lanes': 'lanes',
  '/work/lanes/main': 'lane main',
  '/work/sessions': 'sessions',
  '/work/ingress': 'ingress',
  '/gate': 'gate',
  '/edge': 'chat',
  '/edge/channels': 'chat',
  '/edge/channels/webchat': 'chat',
  '/edge/channels/webchat/inbound': 'chat',
};
/** Turns complete without them, but the chat that asks in this test is turned away: its session is held. */
const CHAT = new Set(['/work/sessions/talk']);
/** An answer is late when it takes longer; far above what it takes, far below what a hang takes. */
const ANSWER_MS = 30_000;

describe('the control plane, while any part of the core is down,', () => {
  let gateway: Gateway;
  let wire: Wire;
  let pid: number;
  let paths: readonly string[];

  beforeAll(async () => {
    gateway = await startGateway({
      config: { agents: { defaults: { model: { primary: 'loopback/echo' } } } },
    });
    wire = await gateway.wire();
    pid = gateway.gatewayPid();
    expect(await settled(wire, await say(wire, 'talk', 'hello'))).toBe('ok');
    const { tree } = (await wire.ask('tree.get')) as { tree: TreeNode };
    paths = nodesOf(tree)
      .map(({ path }) => path)
      .filter((path) => path === CORE || path.startsWith(`${CORE}/`));
  });
  afterAll(() => gateway.cleanUp());

  const get = async (path: string): Promise<{ status: number; body: any }> => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await gateway.fetch(path, {
      signal,
      headers: { authorization: `Bearer ${gateway.token}` },
    });
    return { status: response.status, body: await response.json() };
  };

  const saysItIsDown = async (path: string): Promise<void> => {
    const missing = NEEDED[path.slice(CORE.length)];
    const [live, healthz, readyz, apiHealth, apiTree] = await Promise.all(
      ['/livez', '/healthz', '/readyz', '/api/health', '/api/tree'].map(get),
    );
    const [status, health, { tree }, { findings }, { sessions }] = await Promise.all([
      wire.ask('status'),
      wire.ask('health'),
      wire.ask('tree.get') as Promise<{ tree: TreeNode }>,
      wire.ask('actor.explain', { path }),
      wire.ask('sessions.list'),
    ]);
    for (const answer of [live, healthz])
      expect(answer, path).toEqual({ status: 200, body: { status: 'live' } });

    const { reasons } = readyz!.body as { reasons: string[] };
    const ready = missing === undefined;
    expect(readyz, path).toMatchObject({
      status: ready ? 200 : 503,
      body: { status: ready ? 'ready' : 'not ready' },
    });
    if (ready) expect(reasons, path).toEqual([]);
    else expect(reasons, path).toContainEqual(expect.stringMatching(new RegExp(`^${missing}: `)));
    expect(status, path).toMatchObject({ pid, ready, readyReasons: reasons });

    const graded = ready
      ? { ok: true, grade: 'degraded', reasons: [`parked: ${path} is held down`] }
      : { ok: false, grade: 'failing', reasons };
    for (const answer of [health, apiHealth!.body, status.health]) expect(answer, path).toMatchObject(graded);

    const down = nodesOf(tree).filter((node) => node.status !== 'running');
    expect(
      down.map((node) => [node.path, node.status, node.children.length]),
      path,
    ).toEqual([[path, 'parked', 0]]);
    expect(nodesOf(apiTree!.body.tree as TreeNode), path).toContainEqual(
      expect.objectContaining({ path, status: 'parked' }),
    );
    expect(findings[0], path).toMatchObject({ code: 'PARKED' });
    expect(findings[0].text, path).toContain(`coppice unpark ${path}`);
    expect(sessions, path).toHaveLength(1);
  };

  /** What is accepted is answered once, now or when the part is back; what is not is refused, and never left hanging. */
  const talksAsItSays = async (path: string): Promise<() => Promise<void>> => {
    const runId = newKey('down');
    const text = `who answers without ${path}?`;
    const { ok, error } = await wire.request('chat.send', {
      sessionKey: 'talk',
      message: text,
      idempotencyKey: runId,
    });
    const rest = path.slice(CORE.length);
    const answered = async (): Promise<void> => {
      expect(await settled(wire, runId), path).toBe('ok');
      expect(exchangeFaults(await historyOf(wire, 'talk'), runId, text), path).toEqual([]);
    };
    if (!ok) {
      expect(NEEDED[rest] !== undefined || CHAT.has(rest), `${path}: ${error?.message}`).toBe(true);
      expect(error, path).toMatchObject({ code: 'UNAVAILABLE' });
      return () => Promise.resolve();
    }
    expect(CHAT.has(rest), path).toBe(false);
    // Ready is no word, but a promise: what is accepted now is answered now.
    if (NEEDED[rest] === undefined) await answered();
    return answered;
  };

  test('has all of the core to look at', () => {
    expect(paths.length).toBeGreaterThan(20);
    for (const rest of [...Object.keys(NEEDED), ...CHAT]) expect(paths).toContain(`${CORE}${rest}`);
  });

  test('answers every question with the truth, and turns are served again when it is back', async () => {
    for (const path of paths) {
      const before = (await allRunning(wire)).find((node) => node.path === path);
      expect(before, path).toMatchObject({ status: 'running' });
      expect(await wire.ask('actor.park', { path }), path).toMatchObject({ ok: true, path });
      await saysItIsDown(path);
      const answered = await talksAsItSays(path);
      expect(await wire.ask('actor.unpark', { path }), path).toMatchObject({ ok: true, path });
      await gateway.ready();
      await eventually(`${path} to run`, async () => {
        const node = await nodeAt(wire, path);
        return node?.status === 'running' && node.incarnation === before!.incarnation + 1 ? true : undefined;
      });
      await answered();
      const text = `and who answers after ${path}?`;
      const runId = await eventually('the chat to accept', async () => {
        const key = newKey('up');
        const asked = { sessionKey: 'talk', message: text, idempotencyKey: key };
        return (await wire.request('chat.send', asked)).ok ? key : undefined;
      });
      expect(await settled(wire, runId), path).toBe('ok');
      expect(exchangeFaults(await historyOf(wire, 'talk'), runId, text), path).toEqual([]);
    }
  }, 300_000);

  test('refuses to hold down its own way in', async () => {
    for (const path of ['gateway', 'gateway/control', 'gateway/control/server'])
      expect((await wire.request('actor.park', { path })).error, path).toMatchObject({
        details: { coppiceCode: 'COPPICE_ACTOR_REFUSES' },
      });
  });

  test('has lived through all of it in its first life, in the same process', async () => {
    expect(gateway.gatewayPid()).toBe(pid);
    await eventually('its health', async () => (await wire.ask('health')).grade === 'ok' || undefined);
    expect(await nodeAt(wire, 'gateway/control/server')).toMatchObject({ incarnation: 1, restarts: 0 });
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TreeNode } from '../../src/index.ts';
import { type OpenAiServer, startOpenAiServer } from '../models/openai-server.ts';
import { type Gateway, startGateway } from './harness.ts';
import { allRunning, exchangeFaults, historyOf, insist, newKey, nodeAt, say, settled } from './talk.ts';
import { eventually, type Wire } from './wire.ts';

const ROOT = 'gateway';
const runPath = 'gateway/core/work/sessions/slow/run';
/** A turn of it is under way for as long as the server holds it. */
const HELD_MODEL = 'local/held?text=slow+and+steady';

describe('a gateway whose actors are killed one after the other', () => {
  let gateway: Gateway;
  let models: OpenAiServer;
  let wire: Wire;
  let pid: number;
  /** Everybody who lived before the first was killed. */
  let paths: readonly string[] = [];
  /** Runs of the session `slow`, oldest first. */
  const slow: string[] = [];

  beforeAll(async () => {
    models = await startOpenAiServer();
    const local = { api: 'openai-completions', baseUrl: models.url, apiKey: 'k' };
    gateway = await startGateway({
      config: {
        models: { providers: { local } },
        agents: { defaults: { model: { primary: 'loopback/echo' } } },
      },
    });
    wire = await gateway.wire();
    pid = (await wire.ask('status')).pid;
    await settled(wire, await say(wire, 'talk', 'hello'));
  });
  afterAll(async () => {
    await gateway.cleanUp();
    await models.close();
  });

  /** A turn that is under way, and stays so until the server releases it. */
  const saySlowly = async (): Promise<void> => {
    models.hold();
    const runId = newKey('slow');
    const message = `slow ${runId}`;
    const id = wire.send('agent', { sessionKey: 'slow', message, idempotencyKey: runId, model: HELD_MODEL });
    const [answer] = await wire.answers(id, 1);
    expect(answer?.payload).toMatchObject({ runId, status: 'accepted' });
    slow.push(runId);
    await eventually('the slow run', () => nodeAt(wire, runPath));
  };

  /** A server that dies takes its connections along. */
  const reconnected = async (): Promise<Wire> => {
    const open = await wire.request('status').then(
      () => true,
      () => false,
    );
    return open ? wire : eventually('a new connection', () => gateway.wire().catch(() => undefined));
  };

  /** Resolves with the life that was killed. */
  const kill = async (path: string): Promise<TreeNode> => {
    const before = (await allRunning(wire)).find((node) => node.path === path);
    const { payload, error } = await wire.request('actor.kill', { path });
    expect(payload, error?.message).toMatchObject({ ok: true, path, incarnation: before?.incarnation });
    return before!;
  };

  /** A slow turn is under way meanwhile, and ends when everybody is back. */
  const killAndTalk = async (path: string): Promise<void> => {
    await saySlowly();
    const connection = wire;
    const before = await kill(path);
    if (/^gateway\/control/.test(path)) await connection.closed;
    wire = await reconnected();
    await eventually(`the next life of ${path}`, async () => {
      const node = await nodeAt(wire, path);
      // Whose parent fell with it, or who is started for the next message only, counts anew.
      return node?.incarnation === before.incarnation && node.status === 'running' ? undefined : true;
    });
    await gateway.ready();
    models.release();
    expect(await settled(wire, slow.at(-1)!), path).toBe('ok');
    const text = `who answers after ${path}?`;
    const runId = await insist(wire, 'talk', text);
    expect(await settled(wire, runId), path).toBe('ok');
    expect(exchangeFaults(await historyOf(wire, 'talk'), runId, text), path).toEqual([]);
    expect((await wire.ask('status')).pid, path).toBe(pid);
  };

  test('refuses to kill its root, and goes on', async () => {
    const { ok, error } = await wire.request('actor.kill', { path: ROOT });
    expect(ok).toBe(false);
    expect(error).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { code: 'COPPICE_ACTOR_REFUSES', coppiceCode: 'COPPICE_ACTOR_REFUSES' },
    });
    expect((await wire.ask('status')).pid).toBe(pid);
  });

  test('names an actor that is not there', async () => {
    const { error } = await wire.request('actor.kill', { path: 'gateway/core/nobody' });
    expect(error).toMatchObject({ details: { coppiceCode: 'COPPICE_ACTOR_NOT_FOUND' } });
  });

  test('keeps its process, gets ready again and answers the next message once, whoever was killed', async () => {
    await saySlowly();
    paths = (await allRunning(wire)).map((node) => node.path);
    models.release();
    expect(await settled(wire, slow.at(-1)!)).toBe('ok');
    const must = ['control/server', 'core', 'core/foundation/store', 'core/work/sessions/talk', 'core/gate'];
    expect(paths).toEqual(expect.arrayContaining([...must.map((path) => `gateway/${path}`), runPath]));
    const legs = paths.filter((path) => /^gateway\/core\/edge\/channels\/[^/]+\/[^/]+$/.test(path));
    expect(legs.length).toBeGreaterThan(1);
    for (const path of paths.toReversed()) if (path !== ROOT) await killAndTalk(path);
  });

  test('answers what was under way meanwhile exactly once', async () => {
    await saySlowly();
    await wire.ask('actor.kill', { path: 'gateway/core/foundation/store' });
    models.release();
    for (const runId of slow) expect(await settled(wire, runId)).toBe('ok');
    const messages = await historyOf(wire, 'slow');
    const faults = slow.flatMap((runId) => exchangeFaults(messages, runId, `slow ${runId}`));
    expect(faults).toEqual([]);
  });

  test('still has every actor it had, and nobody is held down', async () => {
    const now = (await allRunning(wire)).map((node) => node.path);
    expect(now).toEqual(expect.arrayContaining(paths.filter((path) => path !== runPath)));
    await eventually('its health', async () => (await wire.ask('health')).grade === 'ok' || undefined);
  });
});

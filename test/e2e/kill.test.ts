import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TreeNode } from '../../src/index.ts';
import { type OpenAiServer, startOpenAiServer } from '../models/openai-server.ts';
import { type Gateway, startGateway } from './harness.ts';
import { exchangeFaults, historyOf, newKey, nodeAt, nodesOf, say, settled } from './talk.ts';
import { eventually, type Wire } from './wire.ts';

const ROOT = 'gateway';
const runPath = 'gateway/core/work/sessions/slow/run';
/** Long enough that its run can be found and killed before it ends. */
const SLOW_MODEL = `local/drip?ms=150&text=${Array.from({ length: 14 }, (_, index) => `w${index}`).join('+')}`;

describe('a gateway whose actors are killed one after the other', () => {
  let gateway: Gateway;
  let models: OpenAiServer;
  let wire: Wire;
  let pid: number;
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
    await saySlowly();
  });
  afterAll(async () => {
    await gateway.cleanUp();
    await models.close();
  });

  /** A turn that is still running when this resolves. */
  const saySlowly = async (): Promise<void> => {
    const runId = newKey('slow');
    const message = `slow ${runId}`;
    const id = wire.send('agent', { sessionKey: 'slow', message, idempotencyKey: runId, model: SLOW_MODEL });
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

  /** Resolves with the life that was killed. A slow turn may end by itself between the look and the kill: then another. */
  const kill = async (path: string): Promise<TreeNode> => {
    if (path.includes('/slow') && !(await nodeAt(wire, runPath))) await saySlowly();
    const before = await eventually(`${path} to run`, async () => {
      const node = await nodeAt(wire, path);
      return node?.status === 'running' ? node : undefined;
    });
    const { ok, payload, error } = await wire.request('actor.kill', { path });
    if (!ok && path === runPath && /there is no actor/.test(error?.message ?? '')) return kill(path);
    expect(payload, error?.message).toMatchObject({ ok: true, path, incarnation: before.incarnation });
    return before;
  };

  const killAndTalk = async (path: string): Promise<void> => {
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
    if (path.includes('/slow')) expect(await settled(wire, slow.at(-1)!)).toBe('ok');
    const text = `who answers after ${path}?`;
    const runId = await say(wire, 'talk', text);
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
    const { tree } = (await wire.ask('tree.get')) as { tree: TreeNode };
    const paths = nodesOf(tree).map((node) => node.path);
    const must = ['control/server', 'core', 'core/foundation/store', 'core/work/sessions/talk', 'core/gate'];
    expect(paths).toEqual(expect.arrayContaining([...must.map((path) => `gateway/${path}`), runPath]));
    const legs = paths.filter((path) => /^gateway\/core\/edge\/channels\/[^/]+\/[^/]+$/.test(path));
    expect(legs.length).toBeGreaterThan(1);
    for (const path of paths.toReversed()) if (path !== ROOT) await killAndTalk(path);
  });

  test('answers what was under way meanwhile exactly once', async () => {
    await saySlowly();
    await wire.ask('actor.kill', { path: 'gateway/core/foundation/store' });
    for (const runId of slow) expect(await settled(wire, runId)).toBe('ok');
    const messages = await historyOf(wire, 'slow');
    const faults = slow.flatMap((runId) => exchangeFaults(messages, runId, `slow ${runId}`));
    expect(faults).toEqual([]);
  });

  test('still has every actor it had, and nobody is held down', async () => {
    const { tree } = (await wire.ask('tree.get')) as { tree: TreeNode };
    expect(nodesOf(tree).filter((node) => node.status !== 'running')).toEqual([]);
    expect((await wire.ask('health')).grade).toBe('ok');
  });
});

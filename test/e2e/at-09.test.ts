import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TreeNode } from '../../src/index.ts';
import type { Said } from './at-09-gateway.ts';
import { exchangeFaults, historyOf, newKey, nodesOf, settled, textOf } from './talk.ts';
import { eventually, openWire, type Wire } from './wire.ts';

const PROGRAM = fileURLToPath(new URL('at-09-gateway.ts', import.meta.url));
const TOKEN = 'a-token-of-the-host-0123456789';
const CHANNEL = 'gateway/core/edge/channels/faulty';
const SESSIONS = ['anna', 'ben', 'cleo'];
/** By leg, in the order in which its attempts fail. */
const FAULTS = {
  inbound: ['a throw in a timer', 'a synchronous throw', 'a rejection nobody awaits'],
  outbound: ['a throw in a socket listener', 'an error event without a listener'],
};
const ALL = Object.values(FAULTS).flat();

describe('AT-09: a channel adapter that throws, rejects, and lets errors fly in every way it can', () => {
  const heard: Said[] = [];
  let stateDir: string;
  let child: ChildProcess;
  let wire: Wire;
  let before: readonly TreeNode[];
  const runs: string[] = [];

  const said = <K extends Said['kind']>(kind: K) =>
    heard.filter((one): one is Extract<Said, { kind: K }> => one.kind === kind);
  const lostBecause = (leg: string): (string | undefined)[] =>
    said('leg').flatMap((one) => (one.leg === leg && one.state === 'reconnecting' ? [one.reason] : []));
  const tree = async (): Promise<TreeNode[]> => nodesOf((await wire.ask('tree.get')).tree as TreeNode);

  beforeAll(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'coppice-e2e-at-09-'));
    const configFile = join(stateDir, 'test-config.jsonc');
    const models = { providers: { patient: { api: 'loopback' } } };
    const agents = { defaults: { model: { primary: 'patient/one' } } };
    writeFileSync(configFile, JSON.stringify({ models, agents }));
    child = fork(PROGRAM, [stateDir, configFile, TOKEN], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.on('message', (message) => heard.push(message as Said));
    const up = await eventually('the gateway', () => said('up')[0]);
    wire = await openWire({ url: up.url, token: TOKEN });
    before = await tree();
    for (const sessionKey of SESSIONS) {
      const runId = newKey(sessionKey);
      const id = wire.send('agent', {
        sessionKey,
        message: `wait for it, ${sessionKey}`,
        idempotencyKey: runId,
      });
      expect((await wire.answers(id, 1))[0]?.payload).toMatchObject({ runId, status: 'accepted' });
      runs.push(runId);
    }
    await eventually('all turns to be under way', async () =>
      (await tree()).filter(({ path }) => path.endsWith('/run')).length === SESSIONS.length
        ? true
        : undefined,
    );
    child.send('misbehave');
    await eventually('the channel to have failed in all ways', () =>
      lostBecause('inbound').length + lostBecause('outbound').length >= ALL.length ? true : undefined,
    );
  });
  afterAll(async () => {
    wire?.close();
    if (child.connected) child.disconnect();
    const patience = setTimeout(() => child.kill('SIGKILL'), 60_000);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    clearTimeout(patience);
    rmSync(stateDir, { recursive: true, force: true });
    expect(child.signalCode).toBeNull();
  });

  test('is told of each of the five faults once, at the leg that owns it', () => {
    expect(lostBecause('inbound')).toEqual(FAULTS.inbound);
    expect(lostBecause('outbound')).toEqual(FAULTS.outbound);
    const lost = said('leg').filter(({ state }) => state === 'reconnecting');
    expect(lost.map(({ channel, path }) => [channel, path])).toEqual(
      lost.map(({ leg }) => ['faulty', `${CHANNEL}/${leg}`]),
    );
  });

  test('owns what slipped past every guard: nothing is counted against the process', () => {
    const strays = said('stray');
    expect(strays.map(({ message }) => message).toSorted()).toEqual(
      ALL.filter((fault) => fault !== 'a synchronous throw').toSorted(),
    );
    expect(strays.filter(({ owner }) => owner === undefined)).toEqual([]);
    expect(said('spent')).toEqual([]);
  });

  test('is started again after each fault, until it works', async () => {
    await eventually('both legs to be connected', async () => {
      const legs = (await tree()).filter(({ path }) => path.startsWith(`${CHANNEL}/`));
      return legs.length === 2 && legs.every(({ state }) => state.includes('connected')) ? true : undefined;
    });
    const states = (leg: string): string[] =>
      said('leg').flatMap((one) => (one.leg === leg && one.channel === 'faulty' ? [one.state] : []));
    for (const [leg, faults] of Object.entries(FAULTS)) {
      // The tree came by the socket, the facts come by the channel of the process: the last one is waited for.
      await eventually(`${leg} to say so`, () => states(leg).at(-1) === 'connected' || undefined);
      expect(states(leg).filter((state) => state === 'starting')).toHaveLength(faults.length);
    }
  });

  test('takes nobody along: everybody else is in the life he was in, and no actor has crashed', async () => {
    const now = await tree();
    for (const { path, incarnation, restarts } of before) {
      const node = now.find((one) => one.path === path);
      expect(node, path).toMatchObject({ incarnation, restarts, status: 'running' });
    }
    expect(said('fault')).toEqual([]);
  });

  test('and the turns that were under way beside it complete, in the same process', async () => {
    for (const sessionKey of SESSIONS)
      expect((await historyOf(wire, sessionKey)).filter(({ role }) => role === 'assistant')).toEqual([]);
    child.send('finish');
    for (const [index, sessionKey] of SESSIONS.entries()) {
      const runId = runs[index]!;
      expect(await settled(wire, runId)).toBe('ok');
      const messages = await historyOf(wire, sessionKey);
      expect(exchangeFaults(messages, runId, `wait for it, ${sessionKey}`)).toEqual([]);
      expect(textOf(messages.at(-1))).toBe('patience rewarded');
    }
    expect((await wire.ask('status')).pid).toBe(child.pid);
    expect(child.exitCode).toBeNull();
    expect(child.signalCode).toBeNull();
  });
});

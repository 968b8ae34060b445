import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { CoppiceError } from '../../src/errors.ts';
import {
  createGateway,
  loadConfig,
  systemPorts,
  type GatewayHandle,
  type GatewayPorts,
} from '../../src/index.ts';

const dirs: string[] = [];
const gateways: GatewayHandle[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.stop('the test is over', { fast: true });
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

async function start(ports: Partial<GatewayPorts>): Promise<GatewayHandle> {
  const stateDir = mkdtempSync(join(tmpdir(), 'coppice-ports-'));
  dirs.push(stateDir);
  const { config } = loadConfig({ env: {}, flags: { stateDir, port: 0, token: 'a-token-of-the-test' } });
  const gateway = createGateway(config, { stateDir, log: false, ports });
  gateways.push(gateway);
  await gateway.start();
  return gateway;
}

async function ask(gateway: GatewayHandle, text: string): Promise<{ status: number; answer: string }> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer a-token-of-the-test', 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'coppice', user: 'someone', messages: [{ role: 'user', content: text }] }),
  });
  const body = (await response.json()) as { choices?: { message: { content: string } }[] };
  return { status: response.status, answer: body.choices?.[0]?.message.content ?? '' };
}

it('a disk that lies about its first commits costs nothing: each message is answered, and stands once', async () => {
  const real = systemPorts();
  let lies = 0;
  const disk: GatewayPorts['disk'] = {
    ...real.disk,
    async openStore(options) {
      const store = await real.disk.openStore(options);
      return {
        ...store,
        async commit(statements) {
          const results = await store.commit(statements);
          if (lies >= 3) return results;
          lies += 1;
          // Written, and nobody was told.
          throw new CoppiceError('STORE_UNKNOWN', { path: store.file });
        },
      };
    },
  };
  const gateway = await start({ disk });
  expect(await ask(gateway, 'one')).toMatchObject({ status: 200 });
  expect((await ask(gateway, 'two')).answer).toContain('"two"');
  expect(lies).toBe(3);
  const [reader] = [real.disk.openReader(join(dirs[0]!, 'coppice.db'))];
  const session = reader.session('someone')!;
  const roles = reader.history('someone', session.sessionId, 100).map(({ role }) => role);
  reader.close();
  expect(roles).toEqual(['user', 'assistant', 'user', 'assistant']);
});

it('the way in, the ids and the dice are those it was given', async () => {
  const real = systemPorts();
  const targets: unknown[] = [];
  let ids = 0;
  const gateway = await start({
    net: {
      listen: (target, deps) => {
        targets.push(target);
        return real.net.listen(target, deps);
      },
    },
    ids: { ...real.ids, id: () => `id-${(ids += 1)}` },
    random: () => 0.5,
  });
  expect(targets).toEqual([{ host: '127.0.0.1', port: 0 }]);
  expect(await ask(gateway, 'hello')).toMatchObject({ status: 200 });
  expect(ids).toBeGreaterThan(0);
});

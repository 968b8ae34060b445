import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from './harness.ts';
import { exchangeFaults, historyOf, newKey, say, settled } from './talk.ts';

describe('a gateway process that is killed with -9', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(() => gateway.cleanUp());

  test.each([1, 2, 3])(
    'leaves an accepted message that its next life answers exactly once (round %i)',
    async (round) => {
      const pid = gateway.gatewayPid();
      const before = await gateway.wire();
      const text = `remember me through round ${round}`;
      const runId = await say(before, 'crash', text, newKey('crash'));
      process.kill(pid, 'SIGKILL');
      await before.closed;
      // Nobody lives at this moment: these wait in the backlog of the socket that the launcher holds.
      const [wire, status] = await Promise.all([gateway.wire(), freshGet(`${gateway.url}/livez`)]);
      expect(status).toBe(200);
      await gateway.ready(pid);
      expect(gateway.gatewayPid()).not.toBe(pid);
      expect(await settled(wire, runId)).toBe('ok');
      const messages = await historyOf(wire, 'crash');
      expect(exchangeFaults(messages, runId, text)).toEqual([]);
      expect(messages).toHaveLength(2 * round);
      expect(messages.map(({ role }) => role).slice(-2)).toEqual(['user', 'assistant']);
      const again = await wire.ask('chat.send', {
        sessionKey: 'crash',
        message: text,
        idempotencyKey: runId,
      });
      expect(again).toEqual({ runId, status: 'ok' });
    },
  );

  test('was started again by a launcher that is still the first one', async () => {
    expect(() => process.kill(gateway.launcherPid, 0)).not.toThrow();
    await gateway.wrote(/(was ended by SIGKILL.*){3}/s);
    expect(gateway.output().match(/was ended by SIGKILL/g)).toHaveLength(3);
  });

  test('did not work again on what an earlier life had settled', async () => {
    await gateway.wrote(/run\.completed .*runId="crash-[^"]+"/);
    const completed = gateway.output().match(/run\.completed .*runId="crash-[^"]+"/g) ?? [];
    const runIds = completed.map((line) => /runId="([^"]+)"/.exec(line)?.[1]);
    expect(runIds).toEqual([...new Set(runIds)]);
  });
});

/** Over a connection of its own: one that is kept from earlier requests died with the process. */
function freshGet(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
    sent.end();
  });
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenAiServer, startOpenAiServer } from '../models/openai-server.ts';
import { type Gateway, startGateway } from './harness.ts';
import { historyOf, newKey, say, settled, textOf } from './talk.ts';
import type { Wire } from './wire.ts';

/** Whatever it is asked, this model wants to see the same folder. */
const RESTLESS = 'tool-call?name=list&again=yes';
const REASON =
  'I stopped here: the tool "list" was called 20 times with the same input and gave the same result each time (generic_repeat).';

describe('a gateway whose model calls one tool again and again', () => {
  let models: OpenAiServer;
  let gateway: Gateway;
  let wire: Wire;
  beforeAll(async () => {
    models = await startOpenAiServer();
    const local = { api: 'openai-completions', baseUrl: models.url, apiKey: 'sk-e2e', models: [RESTLESS] };
    const strict = { loopDetection: { warningThreshold: 2, criticalThreshold: 4 } };
    gateway = await startGateway({
      config: {
        models: { providers: { local } },
        agents: { list: [{ id: 'main' }, { id: 'strict', tools: strict }] },
        logging: { consoleLevel: 'debug' },
      },
    });
    wire = await gateway.wire();
  });
  afterAll(async () => {
    await gateway.cleanUp();
    await models.close();
  });

  test('ends the turn by itself, and says so to the client, the transcript, the caller and the log', async () => {
    const runId = newKey('loop');
    const id = wire.send('agent', { message: 'what is there?', sessionKey: 'loop', idempotencyKey: runId });
    const last = await wire.event('chat', (p) => p.runId === runId && p.state !== 'delta');
    expect(last).toMatchObject({ state: 'final', stopReason: 'tool-loop' });
    expect(textOf(last.message)).toBe(REASON);
    const [, answer] = await wire.answers(id, 2);
    expect(answer?.payload).toMatchObject({
      runId,
      status: 'ok',
      result: { text: REASON, payloads: [{ text: REASON }] },
    });
    expect(models.requests).toHaveLength(20);
    // The model read the warning in the tenth result.
    const seen = models.requests[10]?.body.messages.at(-1);
    expect(seen).toMatchObject({ role: 'tool', content: expect.stringContaining('[tool loop]') });
    const messages = await historyOf(wire, 'loop');
    expect(messages.filter(({ role }) => role === 'tool')).toHaveLength(20);
    expect(textOf(messages.at(-1))).toBe(REASON);
    await gateway.wrote('tool.loop');
  });

  test('lets it try once more when the user speaks again', async () => {
    const before = models.requests.length;
    const runId = await say(wire, 'loop', 'and now?', newKey('again'));
    expect(await settled(wire, runId)).toBe('ok');
    expect(models.requests.length - before).toBe(1);
    expect(textOf((await historyOf(wire, 'loop')).at(-1))).toContain('21 times');
  });

  test('ends the turn of an agent with thresholds of its own by those', async () => {
    const before = models.requests.length;
    const runId = await say(wire, 'agent:strict:main', 'what is there?', newKey('strict'));
    expect(await settled(wire, runId)).toBe('ok');
    expect(models.requests.length - before).toBe(4);
    expect(textOf((await historyOf(wire, 'agent:strict:main')).at(-1))).toContain('4 times');
  });
});

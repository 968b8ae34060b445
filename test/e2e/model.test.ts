import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenAiServer, startOpenAiServer } from '../models/openai-server.ts';
import { type Gateway, startGateway } from './harness.ts';
import { exchangeFaults, historyOf, newKey, say, settled, textOf } from './talk.ts';
import type { Wire } from './wire.ts';

const USAGE = { input: 14, output: 6, total: 20 };

describe('a gateway with a configured model server', () => {
  let models: OpenAiServer;
  let gateway: Gateway;
  let wire: Wire;
  const folder = mkdtempSync(join(tmpdir(), 'coppice-e2e-workspace-'));

  beforeAll(async () => {
    models = await startOpenAiServer();
    mkdirSync(join(folder, 'shelf'));
    writeFileSync(join(folder, 'note.txt'), 'the fox sleeps under the hazel');
    gateway = await startGateway({
      config: {
        models: {
          providers: {
            local: {
              api: 'openai-completions',
              baseUrl: models.url,
              apiKey: 'sk-e2e-0123456789',
              models: ['normal'],
            },
          },
        },
        agents: { defaults: { workspace: folder } },
        retry: { minDelayMs: 10 },
      },
    });
    wire = await gateway.wire();
  });
  afterAll(async () => {
    await gateway.cleanUp();
    await models.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const of = (runId: string) => (payload: any) => payload.runId === runId;
  /** Plays the script for one message and resolves with the run's id and its last chat event. */
  const turn = async (sessionKey: string, text: string, ...scripts: string[]) => {
    models.next(...scripts);
    const runId = await say(wire, sessionKey, text, newKey(sessionKey));
    const last = await wire.event('chat', (p) => of(runId)(p) && p.state !== 'delta');
    return { runId, last };
  };

  test('hears the words of an answer before its end, and the usage with it', async () => {
    const text = 'one two three four five six';
    models.next(`held?text=${text}`);
    const runId = await say(wire, 'stream', 'count', newKey('stream'));
    // Both while the server is still in the middle of its answer.
    const first = await wire.event('agent', (p) => of(runId)(p) && p.stream === 'assistant');
    expect(first.data).toEqual({ text: 'one ', delta: 'one ' });
    await wire.event('chat', (p) => of(runId)(p) && p.state === 'delta');
    models.release();
    const last = await wire.event('chat', (p) => of(runId)(p) && p.state !== 'delta');
    models.hold();
    expect(last).toMatchObject({ state: 'final', usage: USAGE, stopReason: 'stop', sessionKey: 'stream' });
    expect(last.message.content).toEqual([{ type: 'text', text }]);
    const spoken = wire.events('agent', (p) => of(runId)(p) && p.stream === 'assistant');
    let soFar = '';
    for (const { data } of spoken) expect(data.text).toBe((soFar += data.delta));
    expect(soFar).toBe(text);
    expect(wire.events('chat', of(runId)).at(-1).state).toBe('final');
    const seqs = wire.events('agent', of(runId)).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(models.requests.at(-1)?.headers.authorization).toBe('Bearer sk-e2e-0123456789');
  });

  test('lets a model look into the workspace and go on from what it found', async () => {
    const { runId } = await turn('tools', 'what is there?', 'tool-call?name=list&input={"path":"."}');
    expect(await settled(wire, runId)).toBe('ok');
    const [asked, went] = models.requests.slice(-2);
    expect(asked?.body.tools.map((tool: any) => tool.function.name)).toEqual(
      expect.arrayContaining(['list', 'read']),
    );
    const result = went?.body.messages.at(-1);
    expect(result).toMatchObject({ role: 'tool', tool_call_id: 'call_1' });
    expect(result.content).toContain('note.txt');
    expect(result.content).toContain('shelf');
    const phases = wire.events('agent', (p) => of(runId)(p) && p.stream === 'tool').map(({ data }) => data);
    expect(phases).toMatchObject([
      { phase: 'start', name: 'list', toolCallId: 'call_1', args: { path: '.' } },
      { phase: 'result', name: 'list', toolCallId: 'call_1', isError: false },
    ]);
    const messages = await historyOf(wire, 'tools');
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant']);
    expect(textOf(messages.at(-1))).toBe('Hello from the server.');
  });

  test('reads a file of the workspace for the model, and nothing outside of it', async () => {
    await turn('read', 'read it', 'tool-call?name=read&input={"path":"note.txt"}');
    expect(models.requests.at(-1)?.body.messages.at(-1).content).toContain('the fox sleeps under the hazel');
    const { runId } = await turn(
      'read',
      'read more',
      'tool-call?name=read&input={"path":"../../../etc/hosts"}',
    );
    const result = wire.events('agent', (p) => of(runId)(p) && p.data.phase === 'result')[0];
    expect(result.data.isError).toBe(true);
  });

  test('asks again after a 429 and answers once', async () => {
    const before = models.requests.length;
    const { runId, last } = await turn(
      'limit',
      'again?',
      'status?code=429&retry-after=0',
      'normal?text=now+it+works',
    );
    expect(last).toMatchObject({ state: 'final', usage: USAGE });
    expect(models.requests.length - before).toBe(2);
    const messages = await historyOf(wire, 'limit');
    expect(exchangeFaults(messages, runId, 'again?')).toEqual([]);
    expect(textOf(messages.at(-1))).toBe('now it works');
  });

  test('tells why a turn failed that the server refuses for good', async () => {
    const { runId, last } = await turn('refused', 'anybody?', 'status?code=401&message=no+such+key');
    expect(last).toMatchObject({ state: 'error', errorMessage: expect.stringContaining('401') });
    expect(last.errorMessage).not.toContain('sk-e2e');
    expect(await settled(wire, runId)).toBe('error');
  });

  test('ends the call of a run that is aborted in the middle of its answer', async () => {
    const index = models.requests.length;
    models.next('hang-mid-stream');
    const runId = await say(wire, 'abort', 'never mind', newKey('abort'));
    await wire.event('agent', (p) => of(runId)(p) && p.stream === 'assistant');
    expect(await wire.ask('chat.abort', { sessionKey: 'abort', runId })).toEqual({
      ok: true,
      aborted: true,
      runIds: [runId],
    });
    const request = await models.received(index);
    expect(await request.ended).toBe('cut');
    expect(await wire.event('chat', (p) => of(runId)(p) && p.state === 'aborted')).toBeDefined();
    expect((await turn('abort', 'and now?', 'normal')).last.state).toBe('final');
  });
});

import OpenAI from 'openai';
import type { ServerOptions } from '../../../src/server/index.ts';
import type { RunRow } from '../../../src/store/contract.ts';
import { startRig, TOKEN, type Rig } from '../client.ts';

export const ask = {
  model: 'coppice',
  messages: [{ role: 'user', content: 'hello' }] as OpenAI.ChatCompletionUserMessageParam[],
};

/** A server over a fake gateway, raw requests to it, and the official client. */
export async function openDoor(options: Partial<ServerOptions> = {}) {
  const rig = await startRig(options);
  const openai = new OpenAI({ baseURL: `${rig.http}/v1`, apiKey: TOKEN, maxRetries: 0 });
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const post = (body: unknown, more: RequestInit = {}): Promise<Response> =>
    fetch(`${rig.http}/v1/chat/completions`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...more,
      headers: { ...headers, ...(more.headers as Record<string, string>) },
    });
  return { rig, openai, post, ...levers(rig) };
}

function levers({ fake }: Rig) {
  const offers = fake.state.offers;
  return {
    offers,
    /** Once the n-th offer is in, its run id. */
    async offered(n = 1): Promise<string> {
      while (offers.length < n) await new Promise((resolve) => setTimeout(resolve, 2));
      return offers[n - 1]!.runId;
    },
    say: (runId: string, text: string) => fake.say(runId, { kind: 'text', text, delta: text }),
    /** Commits the outcome, then tells of it, as a session does. */
    end(runId: string, outcome: Partial<RunRow> = {}, text = 'hello yourself'): void {
      const result = { text, stopReason: 'stop', usage: { input: 1, output: 2, total: 3 } };
      fake.settle(runId, { status: 'ok', result, ...outcome });
      fake.say(runId, { kind: 'ended', status: 'ok', text, endedAt: 1 });
    },
  };
}

/** The data of every event of a stream, comments left out. */
export const eventsIn = (text: string): string[] =>
  text
    .split('\n\n')
    .filter((block) => block.startsWith('data: '))
    .map((block) => block.slice(6));

export async function errorIn(
  answer: Response,
): Promise<{ code: string; param: string | null; message: string }> {
  const { error } = (await answer.json()) as {
    error: { code: string; param: string | null; message: string };
  };
  return error;
}

import { newKey } from './talk.ts';
import { eventually, type Wire } from './wire.ts';

const LIMIT_MS = 300_000;

const ended = (wire: Wire, runId: string): Promise<string> =>
  eventually(
    `the end of ${runId}`,
    async () => {
      const { status } = await wire.ask('agent.wait', { runId, timeoutMs: 10_000 });
      return status === 'timeout' ? undefined : (status as string);
    },
    LIMIT_MS,
  );

/** What is wrong after `count` sessions of their own were spoken to, each once. Empty when each answered exactly once. */
export async function floodWithKeys(wire: Wire, count: number, atOnce = 100): Promise<string[]> {
  const prefix = newKey('flood');
  const keys = Array.from({ length: count }, (_, index) => `${prefix}/${index}`);
  const forget = (): void => void ((wire.frames as unknown[]).length = 0);
  const each = async (what: (key: string) => Promise<string[]>): Promise<string[]> => {
    const faults: string[] = [];
    for (let at = 0; at < count; at += atOnce) {
      faults.push(...(await Promise.all(keys.slice(at, at + atOnce).map(what))).flat());
      forget();
    }
    return faults;
  };
  const said = await each(async (key) => {
    const answer = await wire.request('chat.send', { sessionKey: key, message: key, idempotencyKey: key });
    return answer.ok ? [] : [`${key}: ${answer.error?.message}`];
  });
  const heard = await each(async (key) => {
    const status = await ended(wire, key);
    const { messages } = await wire.ask('chat.history', { sessionKey: key });
    const roles = messages.map(({ role }: { role: string }) => role).join();
    return status === 'ok' && roles === 'user,assistant' ? [] : [`${key}: ${status}, ${roles}`];
  });
  const gone = await each(async (key) => {
    const { deleted } = await wire.ask('sessions.delete', { key });
    return deleted === true ? [] : [`${key}: it was not there to be deleted`];
  });
  return [...said, ...heard, ...gone];
}

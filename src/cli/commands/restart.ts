import { setTimeout as delay } from 'node:timers/promises';
import { CoppiceError, normalizeError } from '../../errors.ts';
import { retryAfterMs } from '../client.ts';
import { EXIT } from '../exit-codes.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import { type Link, openLink } from '../link.ts';
import type { CommonOptions } from '../options.ts';
import { safe } from '../render/text.ts';
import { onStopSignals } from '../stop-signals.ts';

export interface RestartOptions extends CommonOptions {
  readonly reason?: string;
  readonly force?: boolean;
}

interface Life {
  readonly pid: number;
  readonly startedAt: number;
  readonly ready: boolean;
}

interface Progress {
  readonly state: string;
  readonly pending: number;
}

const EVERY_MS = 100;
/** A cool-down, a deferral and a drain may all be waited out before the gateway goes. */
const WAIT_MS = 300_000;
/** Once it has gone. */
const BACK_MS = 60_000;

/** `coppice restart`: asks for it, says where it is, and waits until the next life is ready. Ctrl-C stops the waiting. */
export async function restart(io: Io, options: RestartOptions, waitMs = WAIT_MS): Promise<number> {
  const startedMs = performance.now();
  const link = await openLink(io, options, { patienceMs: BACK_MS });
  const stop = onStopSignals(() => link.close());
  try {
    const before = await lifeOf(link);
    await request(link, options);
    const after = await nextLife(link, before, waitMs, progressTo(io, options));
    const tookMs = Math.round(performance.now() - startedMs);
    if (options.json)
      writeJson(io.stdout, { restarted: true, from: brief(before), to: brief(after), tookMs });
    else
      writeLines(io.stdout, [
        `restarted: process ${before.pid} > ${after.pid}, ready after ${seconds(tookMs)}`,
      ]);
    return EXIT.ok;
  } finally {
    stop();
    link.close();
  }
}

const brief = ({ pid, startedAt }: Life) => ({ pid, startedAt });
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

async function lifeOf(link: Link): Promise<Life> {
  return (await (await link.client()).request('status')) as Life;
}

async function request(link: Link, { reason, force }: RestartOptions): Promise<void> {
  const asked = { ...(reason === undefined ? {} : { reason }), ...(force ? { force } : {}) };
  await (await link.client()).request('restart.request', asked);
}

/** Each state once, on stderr: stdout has the outcome alone. */
function progressTo(io: Io, { json }: RestartOptions): (progress: Progress) => void {
  let shown = '';
  return ({ state, pending }) => {
    const waits = pending > 0 ? `, ${pending} turn(s) under way` : '';
    const line = safe(`${state}${waits}`);
    if (json || line === shown || state === 'idle') return;
    shown = line;
    writeLines(io.stderr, [line]);
  };
}

async function nextLife(
  link: Link,
  before: Life,
  waitMs: number,
  progress: (progress: Progress) => void,
): Promise<Life> {
  const deadlineMs = performance.now() + waitMs;
  let reason = 'it is still there';
  while (performance.now() < deadlineMs) {
    try {
      const life = await lifeOf(link);
      const next = life.startedAt !== before.startedAt;
      if (next && life.ready) return life;
      reason = next ? 'its next life is not ready' : 'it is still there';
      if (!next) progress((await (await link.client()).request('restart.status')) as Progress);
    } catch (error) {
      if (link.closed || !(await isBeingReplaced(link, error))) throw timedOut(error, BACK_MS);
      reason = normalizeError(error).message;
    }
    await delay(EVERY_MS);
  }
  throw timedOut(new Error(reason), waitMs);
}

/** A lost connection is what was asked for; one that cannot be made again is not. */
async function isBeingReplaced(link: Link, error: unknown): Promise<boolean> {
  if (retryAfterMs(error) === undefined) return false;
  return link.client().then(
    () => true,
    () => false,
  );
}

function timedOut(error: unknown, waitMs: number): CoppiceError {
  return new CoppiceError(
    'RESTART_TIMED_OUT',
    { waitMs, reason: normalizeError(error).message },
    { cause: error },
  );
}

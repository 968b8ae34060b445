import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { CoppiceError } from '../errors.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { withGateway } from './gateway-session.ts';
import { type Io, writeJson, writeLines } from './io.ts';
import type { CommonOptions } from './options.ts';
import { enterScreen, type Screen } from './render/screen.ts';

/** What a following command shows, once per second. */
export interface Watched<T> {
  fetch(client: Client): Promise<T>;
  document(value: T): unknown;
  lines(value: T): readonly string[];
}

const EVERY_MS = 1_000;
const GONE: unique symbol = Symbol('gone');

/**
 * Shows something again and again until Ctrl-C: on the alternate screen of a terminal, line after line elsewhere,
 * as JSON lines with --json. A gateway that goes away is waited for; it is what one watches a restart with.
 * The first connection must succeed: later ones may fail.
 */
export async function watch<T>(io: Io, options: CommonOptions, watched: Watched<T>): Promise<number> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  const screen = io.stdout.isTTY && !options.json ? enterScreen(io.stdout) : undefined;
  try {
    const show = shower(io, options, watched, screen);
    await follow(io, options, watched, show, ended.signal);
    while (!ended.signal.aborted) await again(io, options, watched, show, screen, ended.signal);
    return EXIT.ok;
  } finally {
    screen?.leave();
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

function shower<T>(
  io: Io,
  options: CommonOptions,
  watched: Watched<T>,
  screen: Screen | undefined,
): (value: T) => void {
  if (options.json)
    return (value) => writeJson({ write: (text) => io.stdout.write(text) }, watched.document(value));
  if (screen) return (value) => screen.draw(watched.lines(value));
  return (value) => writeLines(io.stdout, [...watched.lines(value), '']);
}

/** Polls over one connection until the signal, or until the connection is gone. Rejects when it cannot connect. */
function follow<T>(
  io: Io,
  options: CommonOptions,
  watched: Watched<T>,
  show: (value: T) => void,
  signal: AbortSignal,
): Promise<void> {
  return withGateway(io, options, async (client) => {
    const aborted = signal.aborted ? Promise.resolve() : once(signal, 'abort');
    const gone = Promise.race([aborted, client.closed]).then((): typeof GONE => GONE);
    for (;;) {
      const value = await Promise.race([watched.fetch(client), gone]);
      if (value === GONE) return;
      show(value);
      // The connection keeps the process alive, not this timer: Ctrl-C ends it at once.
      if ((await Promise.race([delay(EVERY_MS, undefined, { ref: false }), gone])) === GONE) return;
    }
  });
}

async function again<T>(
  io: Io,
  options: CommonOptions,
  watched: Watched<T>,
  show: (value: T) => void,
  screen: Screen | undefined,
  signal: AbortSignal,
): Promise<void> {
  try {
    await follow(io, options, watched, show, signal);
  } catch (error) {
    // Only what time can cure is waited for.
    if (!(error instanceof CoppiceError) || !error.retryable) throw error;
    screen?.draw([`${error.message}; trying again`]);
    await delay(EVERY_MS, undefined, { signal }).catch((reason: unknown) => {
      if (!signal.aborted) throw reason;
    });
  }
}

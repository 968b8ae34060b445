import { setTimeout as delay } from 'node:timers/promises';
import { CoppiceError } from '../errors.ts';
import type { Client } from './client.ts';
import { connectToGateway } from './gateway-session.ts';
import type { Io } from './io.ts';
import type { CommonOptions } from './options.ts';

/** What becomes of the connection. */
export type LinkNews =
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'back'; readonly afterMs: number }
  /** It is not tried any more. */
  | { readonly kind: 'failed'; readonly error: unknown };

export interface LinkOptions {
  /** How long one loss is waited out. Default 60,000; Infinity: until `close`. */
  readonly patienceMs?: number;
  readonly onNews?: (news: LinkNews) => void;
}

/** A connection that outlives the gateway it is made to: after a loss it is made again, and listeners stay. */
export interface Link {
  /** The connection, as soon as there is one. Rejects when it is closed, or the gateway does not come back. */
  client(): Promise<Client>;
  onEvent(listener: (event: string, payload: unknown) => void): () => void;
  readonly closed: boolean;
  /** Idempotent. */
  close(): void;
}

const PATIENCE_MS = 60_000;
const FIRST_DELAY_MS = 50;
const LAST_DELAY_MS = 1_000;

/** The first connection must succeed at once: rejects as `connectToGateway` does. */
export async function openLink(io: Io, options: CommonOptions, link: LinkOptions = {}): Promise<Link> {
  const first = await connectToGateway(io, options);
  return new Reconnecting(() => connectToGateway(io, options), first, link);
}

class Reconnecting implements Link {
  closed = false;
  readonly #connect: () => Promise<Client>;
  readonly #options: LinkOptions;
  readonly #listeners = new Set<(event: string, payload: unknown) => void>();
  readonly #ended = new AbortController();
  #current: Promise<Client>;

  constructor(connect: () => Promise<Client>, first: Client, options: LinkOptions) {
    this.#connect = connect;
    this.#options = options;
    this.#current = Promise.resolve(this.#adopt(first));
  }

  client(): Promise<Client> {
    return this.#current;
  }

  onEvent(listener: (event: string, payload: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#ended.abort();
    this.#current.then(
      (client) => client.close(),
      // There is no connection to close, and whoever waits for one has been told.
      () => this.#listeners.clear(),
    );
  }

  #adopt(client: Client): Client {
    client.onEvent((event, payload) => {
      for (const listener of this.#listeners) listener(event, payload);
    });
    void client.closed.then(({ code, reason }) => this.#lost(reason || `code ${code}`));
    return client;
  }

  #lost(reason: string): void {
    if (this.closed) return;
    const lostMs = performance.now();
    this.#say({ kind: 'lost', reason });
    this.#current = this.#again(lostMs);
    this.#current.then(
      () => this.#say({ kind: 'back', afterMs: Math.round(performance.now() - lostMs) }),
      (error: unknown) => this.#say({ kind: 'failed', error }),
    );
  }

  #say(news: LinkNews): void {
    if (!this.closed) this.#options.onNews?.(news);
  }

  async #again(lostMs: number): Promise<Client> {
    for (let waitMs = FIRST_DELAY_MS; ; waitMs = Math.min(waitMs * 2, LAST_DELAY_MS)) {
      await this.#pause(waitMs);
      try {
        return this.#welcome(await this.#connect());
      } catch (error) {
        const patient = performance.now() - lostMs < (this.#options.patienceMs ?? PATIENCE_MS);
        // Only what time can cure is waited for.
        if (this.closed || !patient || !(error instanceof CoppiceError) || !error.retryable) throw error;
      }
    }
  }

  /** It may have been closed while the connection was made. */
  #welcome(client: Client): Client {
    if (!this.closed) return this.#adopt(client);
    client.close();
    throw left();
  }

  async #pause(ms: number): Promise<void> {
    try {
      await delay(ms * (0.75 + Math.random() / 2), undefined, { signal: this.#ended.signal });
    } catch (error) {
      throw this.closed ? left() : error;
    }
  }
}

function left(): CoppiceError {
  return new CoppiceError('UNAVAILABLE', { what: 'the connection', reason: 'this command is leaving' });
}

/** What became of the connection, in one line. */
export function newsLine(news: LinkNews): string {
  switch (news.kind) {
    case 'lost':
      return `the connection is lost (${news.reason}); reconnecting`;
    case 'back':
      return `connected again after ${(news.afterMs / 1_000).toFixed(1)} s`;
    case 'failed':
      return `not connected again: ${news.error instanceof Error ? news.error.message : String(news.error)}`;
  }
}

import { normalizeError } from '../errors.ts';
import type { NormalError } from '../errors.ts';
import { defineChannel } from './contract.ts';
import type { Channel, RunSignal } from './contract.ts';
import { passiveLeg } from './passive-leg.ts';

/**
 * The WebSocket chat as a channel. What runs say goes out through the outbound leg; the inbound leg says whether
 * the server may take messages. For a connected client the transcript is the delivery, so nothing of it is lost
 * when a signal is.
 */
export interface Webchat {
  readonly channel: Channel;
  /** Never throws. While the way out is down, starts and ends are kept and deltas dropped. */
  publish(signal: RunSignal): void;
  /** Returns a remover. A listener that throws is counted; the others hear the signal all the same. */
  attach(listener: (signal: RunSignal) => void): () => void;
  /** The inbound leg is up: the server may offer messages. */
  readonly accepting: boolean;
  readonly stats: WebchatStats;
}

/** Counters of the WebSocket chat. */
export interface WebchatStats {
  readonly kept: number;
  readonly dropped: number;
  readonly failedListeners: number;
  readonly lastError: NormalError | undefined;
}

/** `keep`: how many starts and ends are held while the way out is down; beyond them the oldest go. */
export function createWebchat(options: { readonly name?: string; readonly keep?: number } = {}): Webchat {
  const { name = 'webchat', keep = 1_000 } = options;
  const listeners = new Set<(signal: RunSignal) => void>();
  const inbound = passiveLeg('inbound');
  const kept: RunSignal[] = [];
  let [dropped, failedListeners] = [0, 0];
  let lastError: NormalError | undefined;

  const tell = (listener: (signal: RunSignal) => void, signal: RunSignal): void => {
    try {
      listener(signal);
    } catch (error) {
      failedListeners += 1;
      lastError = normalizeError(error);
    }
  };
  const send = (signal: RunSignal): void => {
    for (const listener of [...listeners]) tell(listener, signal);
  };
  const hold = (signal: RunSignal): void => {
    if (isProgress(signal)) {
      dropped += 1;
      return;
    }
    kept.push(signal);
    if (kept.length <= keep) return;
    kept.shift();
    dropped += 1;
  };
  const outbound = passiveLeg('outbound', () => {
    for (const signal of kept.splice(0)) send(signal);
  });

  return {
    channel: defineChannel({
      name,
      legs: [inbound.leg, outbound.leg],
      idempotentDelivery: true,
      // A client reads the transcript when it connects; there is nothing to push to one that is away.
      deliver: async () => ({ kind: 'sent' }),
    }),
    publish: (signal) => (outbound.attempt ? send(signal) : hold(signal)),
    attach(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    get accepting() {
      return inbound.attempt !== undefined;
    },
    get stats() {
      return { kept: kept.length, dropped, failedListeners, lastError };
    },
  };
}

/** What a later signal of the same run says again. Starts and ends are said once. */
const isProgress = (signal: RunSignal): boolean => signal.kind !== 'started' && signal.kind !== 'ended';

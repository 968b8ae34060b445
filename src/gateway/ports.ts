/**
 * The world, as a gateway touches it: time, chance, ids, disk and net. Handed in once at the door, so that a simulator
 * or a fault may stand behind any of them. Providers and channels are ports of their own.
 */
import type { Ids } from '../actors/deps.ts';
import { createClock, createIds } from '../host/index.ts';
import { listenOn } from '../server/index.ts';
import { openAttachments, openReader, openStore } from '../store/index.ts';
import type { Clock } from '../supervisor/index.ts';

/** The world as a gateway touches it. Each may be replaced, by a simulator for instance. */
export interface GatewayPorts {
  readonly clock: Clock;
  readonly ids: Ids;
  /** In [0, 1): jitter of backoffs and retries. */
  random(): number;
  /** Everything durable: what may be lost, torn or full. */
  readonly disk: {
    readonly openStore: typeof openStore;
    readonly openReader: typeof openReader;
    readonly openAttachments: typeof openAttachments;
  };
  /** The way in. The way out is the affair of providers and channels. */
  readonly net: { readonly listen: typeof listenOn };
}

/** The real world. */
export function systemPorts(): GatewayPorts {
  return {
    clock: createClock(),
    ids: createIds(),
    random: Math.random,
    disk: { openStore, openReader, openAttachments },
    net: { listen: listenOn },
  };
}

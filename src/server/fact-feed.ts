/** The facts one connection asked for, as `fact` events. A client that lags loses some, and is told how many. */
import type { Outlet } from './outlet.ts';
import type { FactFilter, GatewayPort } from './port.ts';

export interface FactFeed {
  /** Replaces what was asked for before. */
  subscribe(filter: FactFilter): void;
  stop(): void;
}

export function createFactFeed(
  port: Pick<GatewayPort, 'watchFacts'>,
  outlet: Pick<Outlet, 'event'>,
): FactFeed {
  let remove = (): void => {};
  let dropped = 0;
  return {
    subscribe(filter) {
      remove();
      remove = port.watchFacts(filter, (fact) => {
        const payload = JSON.stringify({ fact, ...(dropped > 0 ? { dropped } : {}) });
        dropped = outlet.event('fact', payload, true) ? 0 : dropped + 1;
      });
    },
    stop: () => remove(),
  };
}

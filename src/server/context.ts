/** What the parts of one running server share. */
import type { Fact } from '../bus/events.ts';
import type { Clock } from '../supervisor/clock.ts';
import type { Authenticator } from './auth.ts';
import type { AuthLimiter } from './auth-limiter.ts';
import type { Clients } from './clients.ts';
import type { ServerLimits } from './limits.ts';
import type { GatewayPort } from './port.ts';
import type { Repeats } from './repeats.ts';
import type { RequestGuard } from './request-guard.ts';
import type { RunFeed } from './run-feed.ts';
import type { SessionFeed } from './session-feed.ts';
import type { Waits } from './throttle.ts';
import type { WatchFeed } from './watch-feed.ts';

export interface ServerContext {
  readonly port: GatewayPort;
  readonly clock: Clock;
  readonly limits: ServerLimits;
  readonly address: { readonly host: string; readonly port: number };
  readonly authenticator: Authenticator;
  readonly limiter: AuthLimiter;
  readonly guard: RequestGuard;
  readonly clients: Clients;
  readonly runs: RunFeed;
  readonly sessions: SessionFeed;
  readonly watch: WatchFeed;
  readonly repeats: Repeats;
  readonly waits: Waits;
  /** Aborted when the server begins to close: whoever waits for something is told. */
  readonly closing: AbortSignal;
  report(fact: Fact): void;
  /** Reports an error that was not meant for the caller. */
  fault(error: unknown, source: string): void;
}

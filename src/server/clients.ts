/** Everybody who passed the handshake, and what all of them are told. */
import { createFollowers } from './followers.ts';
import type { Outlet } from './outlet.ts';
import { hasScope, type Scope } from './protocol/scopes.ts';

/** What a client said of itself, and where it came from. */
export interface About {
  readonly name: string;
  readonly version: string;
  readonly platform: string;
  readonly mode: string;
  readonly deviceFamily?: string | undefined;
  readonly modelIdentifier?: string | undefined;
  readonly instanceId?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly remote: string;
  readonly since: number;
}

export interface Client {
  readonly connId: string;
  readonly about: About;
  readonly scopes: readonly string[];
  readonly outlet: Outlet;
  readonly wantsTree: boolean;
  readonly wantsSessions: boolean;
  /** A ping was sent and nothing has come back since. */
  readonly silent: boolean;
  ping(): void;
}

export interface Audience {
  readonly scope?: Scope;
  readonly treeOnly?: boolean;
  readonly sessionsOnly?: boolean;
  /** What is said in one session goes to those who follow it, and to those who follow none in particular. */
  readonly sessionKey?: string;
  /** May be left out for a client that lags. */
  readonly droppable?: boolean;
}

export interface Clients {
  add(client: Client): void;
  delete(client: Client): void;
  /** It talks in this session, or looked at it. Who follows none only listens, to everything. */
  follow(client: Client, sessionKey: string): void;
  readonly size: number;
  /** Does anybody want the tree? */
  readonly treeWanted: boolean;
  /** Does anybody want to hear of changed sessions? */
  readonly sessionsWanted: boolean;
  /** In the order they came. */
  all(): Client[];
  /** The payload is serialised once, and only if somebody gets it. */
  broadcast(event: string, payload: unknown, audience?: Audience): void;
  /** Pings everybody; ends those who did not answer the last one. */
  sweep(): void;
  closeAll(code: number, reason: string): void;
}

/** `sessionsFollowed`: of one client. */
export function createClients({ sessionsFollowed }: { readonly sessionsFollowed: number }): Clients {
  const clients = new Set<Client>();
  const followers = createFollowers<Client>(sessionsFollowed);
  return {
    add(client) {
      clients.add(client);
      followers.add(client);
    },
    delete(client) {
      clients.delete(client);
      followers.delete(client);
    },
    follow: followers.follow,
    get size() {
      return clients.size;
    },
    get treeWanted() {
      for (const client of clients) if (client.wantsTree) return true;
      return false;
    },
    get sessionsWanted() {
      for (const client of clients) if (client.wantsSessions) return true;
      return false;
    },
    all: () => [...clients],
    broadcast(event, payload, audience = {}) {
      let text: string | undefined;
      const { sessionKey } = audience;
      for (const client of sessionKey === undefined ? clients : followers.of(sessionKey)) {
        if (!listens(client, audience)) continue;
        text ??= JSON.stringify(payload);
        client.outlet.event(event, text, audience.droppable);
      }
    },
    sweep() {
      for (const client of clients) {
        if (client.silent) client.outlet.terminate();
        else client.ping();
      }
    },
    closeAll(code, reason) {
      for (const client of clients) client.outlet.close(code, reason);
    },
  };
}

function listens(client: Client, { scope, treeOnly, sessionsOnly }: Audience): boolean {
  if ((treeOnly && !client.wantsTree) || (sessionsOnly && !client.wantsSessions)) return false;
  return scope === undefined || hasScope(client.scopes, scope);
}

/** Everybody who passed the handshake, and what all of them are told. */
import type { Outlet } from './outlet.ts';
import { hasScope, type Scope } from './protocol/scopes.ts';

export interface Client {
  readonly connId: string;
  readonly scopes: readonly string[];
  readonly outlet: Outlet;
  readonly wantsTree: boolean;
  /** A ping was sent and nothing has come back since. */
  readonly silent: boolean;
  ping(): void;
}

export interface Audience {
  readonly scope?: Scope;
  readonly treeOnly?: boolean;
  /** May be left out for a client that lags. */
  readonly droppable?: boolean;
}

export interface Clients {
  add(client: Client): void;
  delete(client: Client): void;
  readonly size: number;
  /** Does anybody want the tree? */
  readonly treeWanted: boolean;
  /** The payload is serialised once, and only if somebody gets it. */
  broadcast(event: string, payload: unknown, audience?: Audience): void;
  /** Pings everybody; ends those who did not answer the last one. */
  sweep(): void;
  closeAll(code: number, reason: string): void;
}

export function createClients(): Clients {
  const clients = new Set<Client>();
  return {
    add: (client) => void clients.add(client),
    delete: (client) => void clients.delete(client),
    get size() {
      return clients.size;
    },
    get treeWanted() {
      for (const client of clients) if (client.wantsTree) return true;
      return false;
    },
    broadcast(event, payload, audience = {}) {
      let text: string | undefined;
      for (const client of clients) {
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

function listens(client: Client, { scope, treeOnly }: Audience): boolean {
  return (!treeOnly || client.wantsTree) && (scope === undefined || hasScope(client.scopes, scope));
}

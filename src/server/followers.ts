/** Who hears what is said in a session. Found by its key: a turn must not cost as much as there are clients. */
export interface Followers<C> {
  /** From now on it hears everything, until it follows a session. */
  add(client: C): void;
  delete(client: C): void;
  /** It hears this session, and no longer all of them. Nothing for one that is not here (any more). */
  follow(client: C, sessionKey: string): void;
  /** Those who follow it, and those who follow none in particular. */
  of(sessionKey: string): Iterable<C>;
}

/** `limit`: sessions one client follows; of more, the one it touched longest ago is followed no more. */
export function createFollowers<C>(limit: number): Followers<C> {
  /** In the order of touch. */
  const sessions = new Map<C, Set<string>>();
  const bySession = new Map<string, Set<C>>();
  const general = new Set<C>();

  const leave = (client: C, sessionKey: string): void => {
    const followers = bySession.get(sessionKey);
    followers?.delete(client);
    if (followers?.size === 0) bySession.delete(sessionKey);
  };
  return {
    add(client) {
      sessions.set(client, new Set());
      general.add(client);
    },
    delete(client) {
      for (const sessionKey of sessions.get(client) ?? []) leave(client, sessionKey);
      sessions.delete(client);
      general.delete(client);
    },
    follow(client, sessionKey) {
      const own = sessions.get(client);
      if (!own) return;
      general.delete(client);
      own.delete(sessionKey);
      own.add(sessionKey);
      const followers = bySession.get(sessionKey) ?? new Set();
      bySession.set(sessionKey, followers.add(client));
      const [oldest] = own;
      if (own.size <= limit || oldest === undefined) return;
      own.delete(oldest);
      leave(client, oldest);
    },
    *of(sessionKey) {
      yield* general;
      yield* bySession.get(sessionKey) ?? [];
    },
  };
}

/**
 * Every statement the writer knows, by name: the only SQL that changes data. Values are `?1, ?2, ...` in the order
 * of `Statement.values`; `:owner` and `:epoch` are put in by the writer. All of them are safe to repeat, because
 * whoever got STORE_UNKNOWN repeats.
 */
const stamp = 'owner = :owner, epoch = :epoch';
const countMessages = (key: string, id: string): string =>
  `(SELECT count(*) FROM transcript WHERE session_key = ${key} AND session_id = ${id})`;

export const WRITES = {
  // WHERE NOT EXISTS rather than a conflict alone: a refused insert would use up a position.
  'inbox.accept': `
    INSERT INTO inbox (message_id, run_id, session_key, agent_id, channel, account, platform_id, source, text,
      options, trace, received_at, owner, epoch)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, :owner, :epoch
    WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE message_id = ?1)
      AND NOT EXISTS (SELECT 1 FROM runs WHERE run_id = ?2)
    ON CONFLICT DO NOTHING`,
  // Only beside its own inbox row: a known message that comes again under a new run id makes no run.
  'run.accept': `
    INSERT INTO runs (run_id, session_key, accepted_at, owner, epoch)
    SELECT ?1, ?2, ?3, :owner, :epoch
    WHERE EXISTS (SELECT 1 FROM inbox WHERE message_id = ?4 AND run_id = ?1 AND status = 'pending')
    ON CONFLICT DO NOTHING`,
  'inbox.settle': `
    UPDATE inbox SET status = ?2, settled_at = ?3, ${stamp} WHERE message_id = ?1 AND status = 'pending'`,
  'run.settle': `
    UPDATE runs SET status = ?2, ended_at = ?3, result = ?4, error = ?5, ${stamp}
    WHERE run_id = ?1 AND status = 'accepted'`,
  'transcript.append': `
    INSERT INTO transcript (session_key, session_id, run_id, ordinal, role, content, at, owner, epoch)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, :owner, :epoch)
    ON CONFLICT (run_id, ordinal) DO NOTHING`,
  'session.touch': `
    INSERT INTO sessions (session_key, session_id, agent_id, created_at, updated_at, message_count, owner, epoch)
    VALUES (?1, ?2, ?3, ?4, ?4, ${countMessages('?1', '?2')}, :owner, :epoch)
    ON CONFLICT (session_key) DO UPDATE SET updated_at = max(updated_at, excluded.updated_at), ${stamp}`,
  'session.reset': `
    UPDATE sessions SET session_id = ?2, updated_at = max(updated_at, ?3),
      message_count = ${countMessages('?1', '?2')}, ${stamp}
    WHERE session_key = ?1`,
  // Before 'inbox.bury': it finds these runs by their pending rows. Whoever waits for them gets an answer.
  'run.bury': `
    UPDATE runs SET status = 'aborted', ended_at = ?2, result = '{"stopReason":"session_deleted"}', ${stamp}
    WHERE status = 'accepted'
      AND run_id IN (SELECT run_id FROM inbox WHERE session_key = ?1 AND status = 'pending')`,
  'inbox.bury': `
    UPDATE inbox SET status = 'dead', settled_at = ?2, ${stamp} WHERE session_key = ?1 AND status = 'pending'`,
  'transcript.delete': `DELETE FROM transcript WHERE session_key = ?1`,
  'session.delete': `DELETE FROM sessions WHERE session_key = ?1`,
  // Only the session's own: another machine may use the same word as its key (an agent called "main").
  'session.forget': `DELETE FROM checkpoints WHERE machine = 'session' AND key = ?1`,
  'tool.intent': `
    INSERT INTO tool_journal (run_id, tool_call_id, tool_name, input, idempotent, intent_at, owner, epoch)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, :owner, :epoch)
    ON CONFLICT (run_id, tool_call_id) DO NOTHING`,
  'tool.outcome': `
    UPDATE tool_journal SET outcome_at = ?3, output = ?4, is_error = ?5, ${stamp}
    WHERE run_id = ?1 AND tool_call_id = ?2 AND outcome_at IS NULL`,
  'checkpoint.put': `
    INSERT INTO checkpoints (machine, key, version, at, facts, owner, epoch)
    VALUES (?1, ?2, ?3, ?4, ?5, :owner, :epoch)
    ON CONFLICT (machine, key) DO UPDATE SET
      version = excluded.version, at = excluded.at, facts = excluded.facts, ${stamp}`,
  'checkpoint.drop': `DELETE FROM checkpoints WHERE machine = ?1 AND key = ?2`,
  'outbox.add': `
    INSERT INTO outbox (delivery_id, channel, account, target, run_id, payload, status, attempts, next_at,
      created_at, expires_at, platform_id, error, owner, epoch)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, :owner, :epoch)
    ON CONFLICT (delivery_id) DO NOTHING`,
  // What was sent stays sent, whatever a late repeat says.
  'outbox.update': `
    UPDATE outbox SET status = ?2, attempts = ?3, next_at = ?4, platform_id = coalesce(?5, platform_id),
      error = ?6, ${stamp}
    WHERE delivery_id = ?1 AND status <> 'sent'`,
} as const satisfies Readonly<Record<string, string>>;

export type WriteName = keyof typeof WRITES;

/** How many values each takes: the binding would silently store NULL for those that are missing. */
const ARITY: ReadonlyMap<string, number> = new Map(
  Object.entries(WRITES).map(([name, sql]) => [
    name,
    Math.max(...Array.from(sql.matchAll(/\?(\d+)/g), ([, n]) => Number(n))),
  ]),
);

export const arityOf = (name: WriteName): number => ARITY.get(name) ?? 0;

export function isWriteName(name: string): name is WriteName {
  return Object.hasOwn(WRITES, name);
}

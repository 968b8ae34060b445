/**
 * The tables, as the first schema made them. A later schema is a migration (see `migrations.ts`), never an edit here:
 * files of this shape are out there.
 *
 * Every table is STRICT and every row says who wrote it last: `owner`, and `epoch`, which rises with every opening.
 */

/** 'copp' in ASCII: tells our file from any other SQLite file. */
export const APPLICATION_ID = 0x63_6f_70_70;

const written = 'owner TEXT NOT NULL, epoch INTEGER NOT NULL';

export const FIRST_SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY, ${written}) STRICT;

CREATE TABLE inbox (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id TEXT NOT NULL UNIQUE,
  run_id TEXT NOT NULL UNIQUE,
  session_key TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  platform_id TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('user', 'heartbeat', 'system')),
  text TEXT NOT NULL,
  options TEXT NOT NULL,
  trace TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'done', 'dead')),
  settled_at INTEGER,
  ${written}
) STRICT;
-- Recovery reads the pending set, never the journal.
CREATE INDEX inbox_pending ON inbox (session_key, position, agent_id) WHERE status = 'pending';

CREATE TABLE runs (
  run_id TEXT PRIMARY KEY,
  session_key TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'ok', 'error', 'aborted')),
  accepted_at INTEGER NOT NULL,
  ended_at INTEGER,
  result TEXT,
  error TEXT,
  ${written}
) STRICT;

CREATE TABLE sessions (
  session_key TEXT PRIMARY KEY,
  session_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  message_count INTEGER NOT NULL,
  ${written}
) STRICT;
CREATE INDEX sessions_activity ON sessions (updated_at);

CREATE TABLE transcript (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  session_key TEXT NOT NULL,
  session_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'tool', 'system')),
  content TEXT NOT NULL,
  at INTEGER NOT NULL,
  ${written},
  UNIQUE (run_id, ordinal)
) STRICT;
CREATE INDEX transcript_session ON transcript (session_key, session_id, seq);
-- Counts rows that were really added, so that a repeated settlement does not count twice.
CREATE TRIGGER transcript_counted AFTER INSERT ON transcript BEGIN
  UPDATE sessions SET message_count = message_count + 1
  WHERE session_key = NEW.session_key AND session_id = NEW.session_id;
END;

CREATE TABLE tool_journal (
  run_id TEXT NOT NULL,
  tool_call_id TEXT NOT NULL,
  tool_name TEXT NOT NULL,
  input TEXT,
  idempotent INTEGER NOT NULL CHECK (idempotent IN (0, 1)),
  intent_at INTEGER NOT NULL,
  outcome_at INTEGER,
  output TEXT,
  is_error INTEGER CHECK (is_error IN (0, 1)),
  ${written},
  PRIMARY KEY (run_id, tool_call_id)
) STRICT;

CREATE TABLE checkpoints (
  machine TEXT NOT NULL,
  key TEXT NOT NULL,
  version INTEGER NOT NULL,
  at INTEGER NOT NULL,
  facts TEXT NOT NULL,
  ${written},
  PRIMARY KEY (machine, key)
) STRICT;

CREATE TABLE outbox (
  delivery_id TEXT PRIMARY KEY,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  target TEXT NOT NULL,
  run_id TEXT NOT NULL,
  payload TEXT NOT NULL,
  status TEXT NOT NULL
    CHECK (status IN ('prepared', 'sending', 'sent', 'unknown', 'failed_permanent', 'expired')),
  attempts INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  platform_id TEXT,
  error TEXT,
  ${written}
) STRICT;
CREATE INDEX outbox_open ON outbox (next_at) WHERE status IN ('prepared', 'sending');
CREATE INDEX outbox_status ON outbox (status);
`;

/**
 * The rows that refer to files, so that nobody reads every transcript to find out whether a file is still needed.
 * Within a text the same characters stand escaped.
 */
export const HAS_FILE = `instr(content, '"type":"file"') > 0`;
export const FILES_SCHEMA = `CREATE INDEX transcript_files ON transcript (session_key) WHERE ${HAS_FILE};`;

/**
 * What the server is handed: a read model and a few commands. The server knows frames, tokens and limits; it does
 * not know actors or machines.
 */
import type { Trace } from '../bus/trace.ts';
import type { Envelope } from '../bus/events.ts';
import type { RunSignal } from '../channels/contract.ts';
import type { TreeNode } from '../supervisor/registry.ts';
import type { InboxRow, RunRow, SessionRow, StoredTranscriptRow } from '../store/contract.ts';

export type Offer = Pick<
  InboxRow,
  'runId' | 'sessionKey' | 'agentId' | 'channel' | 'account' | 'platformId' | 'source' | 'text' | 'options'
> & { readonly trace?: Trace };

/** `accepted`: committed to the inbox, on disk. `known`: the same message came before; `run` is its record. */
export type Accepted =
  | { readonly kind: 'accepted'; readonly runId: string; readonly at: number }
  | { readonly kind: 'known'; readonly runId: string; readonly run: RunRow };

export interface Explanation {
  readonly path: string;
  readonly node: TreeNode | undefined;
  /** Stable finding codes with what they mean here, most important first. */
  readonly findings: readonly { readonly code: string; readonly text: string }[];
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

export interface HealthView {
  readonly ok: boolean;
  readonly grade: 'ok' | 'degraded' | 'failing';
  readonly reasons: readonly string[];
  readonly ts: number;
  readonly durationMs: number;
  readonly channels: Readonly<Record<string, unknown>>;
  readonly channelOrder: readonly string[];
  readonly channelLabels: Readonly<Record<string, string>>;
  readonly heartbeatSeconds: number;
  readonly defaultAgentId: string;
  readonly agents: readonly object[];
  readonly sessions: {
    readonly path: string;
    readonly count: number;
    readonly recent: readonly { key: string; updatedAt: number | null; age: number | null }[];
  };
}

export interface GatewayPort {
  readonly version: string;
  readonly startedAt: number;
  readonly stateDir: string;
  readonly configPath: string | undefined;
  now(): number;
  newId(): string;
  /** Rejects with CoppiceError (DRAINING, OVERLOADED, UNAVAILABLE, SESSION_QUARANTINED, ...). */
  offer(offer: Offer): Promise<Accepted>;
  abort(request: { sessionKey: string; runId?: string }): Promise<{ aborted: boolean; runIds: string[] }>;
  /** Resolves with the settled run, or with undefined at the timeout; rejects when the run is unknown. */
  waitRun(runId: string, timeoutMs: number): Promise<RunRow | undefined>;
  run(runId: string): RunRow | undefined;
  session(sessionKey: string): SessionRow | undefined;
  sessions(query?: { limit?: number; agentId?: string; activeSince?: number; search?: string }): SessionRow[];
  /** Transcript, then what is accepted and not yet settled (as user messages), oldest first. */
  history(
    sessionKey: string,
    limit: number,
  ): { sessionId: string | null; rows: StoredTranscriptRow[]; pending: InboxRow[] };
  /** Ends an active run first. */
  resetSession(sessionKey: string): Promise<{ sessionId: string }>;
  deleteSession(sessionKey: string): Promise<{ deleted: boolean }>;
  models(): { readonly id: string; readonly provider: string; readonly contextWindow?: number }[];
  agents(): { readonly id: string; readonly name?: string; readonly default: boolean }[];
  tree(): TreeNode;
  explain(pathOrSession: string): Explanation;
  /** The answer is sent before the kill: `kill` returns what will be killed, and the crash comes in the next turn. */
  kill(path: string, options: { by: string; count?: boolean }): { path: string; incarnation: number };
  requestStop(reason: string): void;
  requestRestart(reason: string): void;
  health(): HealthView;
  readiness(): Readiness;
  /** Is the supervisor's tick on time? */
  live(): boolean;
  /** Everything runs say, for fan-out to connections. Returns a remover. */
  onRunSignal(listener: (signal: RunSignal) => void): () => void;
  /** Facts, through a bounded queue of its own. Returns a remover. */
  onFact(listener: (fact: Envelope) => void): () => void;
}

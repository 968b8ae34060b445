/**
 * What the server is handed: a read model and a few commands. The server knows frames, tokens and limits; it does
 * not know actors or machines.
 */
import type { Trace } from '../bus/trace.ts';
import type { Envelope, FactType } from '../bus/events.ts';
import type { Severity } from '../errors.ts';
import type { HookAnswer, HookRequest, RunSignal } from '../channels/contract.ts';
import type { ModelInfo, ModelSettings, ModelTool, Provider } from '../models/contract.ts';
import type { TreeNode } from '../supervisor/registry.ts';
import type {
  Attachment,
  Content,
  FileContent,
  InboxRow,
  RunRow,
  SessionRow,
  StoredTranscriptRow,
} from '../store/contract.ts';

export type Offer = Pick<
  InboxRow,
  'runId' | 'sessionKey' | 'agentId' | 'channel' | 'account' | 'platformId' | 'source' | 'text' | 'options'
> & { readonly trace?: Trace };

/** A message of a conversation that is handed in whole. */
export interface SaidMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: readonly Content[];
}

/** What `Offer.options` may ask of a turn beyond its text. JSON: it is committed with the message. */
export interface TurnOptions {
  /** "provider/model": asked first, then the agent's own. */
  readonly model?: string;
  /** Only that model: no other answers in its place. */
  readonly exactModel?: true;
  /** What is said, in place of the text: the end of a conversation the session has, or a whole one. */
  readonly said?: readonly SaidMessage[];
  /** Files that came with the text, on disk already. */
  readonly attachments?: readonly FileContent[];
  /** For this turn, after the agent's own system prompt. */
  readonly extraSystemPrompt?: string;
  /** The session has no transcript and is on no list: the turn knows what `said` says. */
  readonly ephemeral?: true;
  /** Nobody can be asked about a tool call whose outcome is unknown: it is not repeated. */
  readonly unattended?: true;
  /** In place of the agent's own. Calls of these end the turn; whoever brought them runs them. */
  readonly tools?: readonly ModelTool[];
  readonly settings?: ModelSettings;
  readonly maxOutputTokens?: number;
}

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

/** Which facts. Everything given must match. */
export interface FactFilter {
  readonly types?: readonly FactType[];
  /** This actor and everything below it. */
  readonly path?: string;
  readonly traceId?: string;
  /** This severity and above. */
  readonly severity?: Severity;
}

export interface MachineSummary {
  readonly name: string;
  readonly states: number;
  readonly events: number;
  readonly effects: number;
}

export interface MachineState {
  /** Dotted, from the top: `processing.turn.running`. Empty for the machine itself. */
  readonly path: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly initial?: string;
  readonly transitions: readonly {
    /** An event, or `after NAME`, `done NAME`, `error NAME`, `always`. */
    readonly on: string;
    /** State paths; none: it stays where it is. */
    readonly targets: readonly string[];
    readonly guarded: boolean;
  }[];
  /** Effects that run while it is in this state. */
  readonly invokes: readonly string[];
}

export interface MachineView extends Omit<MachineSummary, 'states' | 'events' | 'effects'> {
  readonly states: readonly MachineState[];
  readonly events: readonly string[];
  /** What a host must provide. */
  readonly effects: readonly { readonly name: string; readonly kind: 'actor' | 'action' }[];
}

/** Where a planned restart or a stop is. `idle`: nobody asked. */
export interface RestartView {
  readonly state: string;
  readonly kind: 'restart' | 'stop' | null;
  readonly reason: string;
  readonly requests: number;
  /** Admitted work that has not ended, as last counted. */
  readonly pending: number;
  /** When this gateway last began a planned restart; null: never. */
  readonly restartedAt: number | null;
}

export interface ModelRow extends ModelInfo {
  /** The wire format of its provider. */
  readonly api?: Provider['api'];
  /** For the default agent: true is the one it asks, false a fallback. Absent: neither. */
  readonly primary?: boolean;
  /** Of its provider. `half_open`: it has cooled, and the next call decides. */
  readonly state?: 'ready' | 'cooling' | 'half_open';
  /** Epoch milliseconds; only while it is cooling. */
  readonly coolingUntil?: number;
}

export interface GatewayPort {
  readonly version: string;
  readonly startedAt: number;
  readonly stateDir: string;
  readonly configPath: string | undefined;
  now(): number;
  newId(): string;
  /**
   * Files are on disk before the message is committed; when one of them is refused, so is the message. Rejects with
   * CoppiceError (DRAINING, OVERLOADED, UNAVAILABLE, SESSION_QUARANTINED, ATTACHMENT_REFUSED, STORE_FULL, ...).
   */
  offer(offer: Offer, attachments?: readonly Attachment[]): Promise<Accepted>;
  /**
   * A request to the webhook channel of that name. Rejects HOOK_NOT_FOUND, HOOK_SIGNATURE, HOOK_STALE, HOOK_TOO_LARGE,
   * HOOK_BODY, and as `offer` does.
   */
  hook(name: string, request: HookRequest): Promise<HookAnswer>;
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
  /** Those of the default agent first, in the order in which they are asked. */
  models(): ModelRow[];
  /** What a caller may ask for by name: "provider/model". Providers that are `open` take any model. */
  modelNames(): { readonly listed: readonly string[]; readonly open: readonly string[] };
  agents(): { readonly id: string; readonly name?: string; readonly default: boolean }[];
  tree(): TreeNode;
  explain(pathOrSession: string): Explanation;
  /** The answer is sent before the kill: `kill` returns what will be killed, and the crash comes in the next turn. */
  kill(path: string, options: { by: string; count?: boolean }): { path: string; incarnation: number };
  /** Stops it and holds it down. Rejects with ACTOR_NOT_FOUND or ACTOR_REFUSES. */
  park(path: string): Promise<{ path: string; incarnation: number }>;
  unpark(path: string): Promise<{ path: string; incarnation: number }>;
  /** Facts that are remembered, redacted, oldest first; the newest `limit` of them. */
  facts(filter: FactFilter & { readonly afterSeq?: number; readonly limit?: number }): Envelope[];
  /** Facts from now on, redacted, through a bounded queue of their own. Returns a remover. */
  watchFacts(filter: FactFilter, listener: (fact: Envelope) => void): () => void;
  machines(): MachineSummary[];
  machine(name: string): MachineView | undefined;
  restartStatus(): RestartView;
  requestStop(reason: string): void;
  /** `force`: without waiting for a cool-down or for work that is under way. */
  requestRestart(reason: string, options?: { readonly by?: string; readonly force?: boolean }): void;
  health(): HealthView;
  readiness(): Readiness;
  /** Is the supervisor's tick on time? */
  live(): boolean;
  /** Everything runs say, for fan-out to connections. Returns a remover. */
  onRunSignal(listener: (signal: RunSignal) => void): () => void;
  /** Facts, through a bounded queue of its own. Returns a remover. */
  onFact(listener: (fact: Envelope) => void): () => void;
}

/** What session and run say to each other. Plain JSON throughout. */
import type { Trace } from '../bus/trace.ts';

/** A message that is committed to the inbox and waits for, or has, its turn. */
export interface TurnMessage {
  readonly messageId: string;
  readonly runId: string;
  readonly text: string;
  readonly source: 'user' | 'heartbeat' | 'system';
  readonly channel: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly trace: Trace;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
}

/** One way to answer: a provider and a model of it. */
export interface Candidate {
  readonly provider: string;
  readonly model: string;
}

/** The operator's or user's answer about a tool call whose outcome is unknown. */
export type ToolDecision = 'retry' | 'skip';

/** What a run is started with by its session. */
export interface RunInput {
  readonly path: string;
  readonly incarnation: number;
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly message: TurnMessage;
  readonly decision: ToolDecision | null;
  /** When the whole turn must be over. Epoch milliseconds. */
  readonly deadlineAt: number;
  /** Whoever invokes it knows that it lives until then: progress is told from a second later on. Default 0: at once. */
  readonly heardAt?: number;
}

/** A piece of a message: words, a file, a call or its result. */
export interface RunContent {
  readonly type: 'text' | 'file' | 'tool-call' | 'tool-result';
  readonly text?: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly isError?: boolean;
  /** Of a file: what it is, and how many bytes there are of it. They are not here. */
  readonly sha256?: string;
  readonly mediaType?: string;
  readonly bytes?: number;
  readonly fileName?: string;
}

/** What the turn adds to the transcript after the user's message, in order. */
export interface RunMessage {
  readonly role: 'assistant' | 'tool';
  readonly content: readonly RunContent[];
}

/** What a run ends with. `undecided`: a tool call may have happened, and its user must say what to do. */
export type RunOutput = {
  readonly messages: readonly RunMessage[];
  /** The final assistant text; what there was of it when the turn ended early. */
  readonly text: string;
  readonly usage: {
    readonly input: number;
    readonly output: number;
    readonly total: number;
    readonly cacheRead?: number;
    readonly cacheWrite?: number;
  } | null;
  readonly attempts: number;
  readonly toolCalls: number;
} & (
  | { readonly status: 'ok'; readonly stopReason: string }
  | { readonly status: 'aborted'; readonly stopReason: string }
  | { readonly status: 'error'; readonly error: { readonly code: string; readonly message: string } }
  /** A tool call has an intent, no outcome, and must not be repeated blindly: somebody has to say. */
  | {
      readonly status: 'undecided';
      readonly question: string;
      readonly toolCallId: string;
      readonly toolName: string;
    }
);

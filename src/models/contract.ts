/**
 * What the rest of the house knows of a model: a stream of parts, and failures sorted into classes. A provider is
 * stateless here; its health, cooldown and credentials are actors of their own.
 */

export type ModelContent =
  | { readonly type: 'text'; readonly text: string }
  /** In user messages only. What a provider's format cannot carry fails the call as `format`. */
  | {
      readonly type: 'file';
      /** IANA, such as `image/png` or `application/pdf`. */
      readonly mediaType: string;
      readonly data: Uint8Array;
      readonly filename?: string;
    }
  | {
      readonly type: 'tool-call';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly input: unknown;
    }
  | {
      readonly type: 'tool-result';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly output: unknown;
      readonly isError?: boolean;
    };

export interface ModelMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: readonly ModelContent[];
}

export interface ModelTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
  /** Whether the provider is to hold the model to the schema. Left out: its own default. */
  readonly strict?: boolean;
}

/** How a model is to answer. What is left out is the provider's default. */
export interface ModelSettings {
  readonly temperature?: number;
  readonly topP?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly seed?: number;
  /** Where the answer ends; the sequence itself is left out of it. */
  readonly stop?: readonly string[];
  readonly reasoning?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';
  /** JSON; with a schema, JSON of that shape. */
  readonly responseFormat?: {
    readonly name?: string;
    readonly description?: string;
    readonly schema?: Readonly<Record<string, unknown>>;
    readonly strict?: boolean;
  };
  /** Default `auto`. */
  readonly toolChoice?: 'auto' | 'none' | 'required' | { readonly toolName: string };
}

/** One call of a model. */
export interface ModelRequest {
  readonly model: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ModelTool[];
  readonly maxOutputTokens?: number;
  readonly settings?: ModelSettings;
  /** Longest silence between two chunks before the call is aborted as `timeout`. Milliseconds. */
  readonly idleMs: number;
  /** Longest wait for the first chunk. Milliseconds. */
  readonly firstByteMs: number;
  readonly traceparent?: string;
}

export interface Usage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
  readonly total: number;
}

/** A piece of a model's answer; `finish` is the last. */
export type ModelPart =
  | { readonly type: 'text'; readonly delta: string }
  | { readonly type: 'reasoning'; readonly delta: string }
  | {
      readonly type: 'tool-call';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly input: unknown;
    }
  /** Always the last part of a successful call, exactly once. */
  | {
      readonly type: 'finish';
      readonly reason: 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'other';
      readonly usage?: Usage;
    };

/** Why a call failed. Unknown failures are `unknown` and are tried on the next candidate all the same. */
export type FailureClass =
  | 'billing'
  | 'rate_limit'
  | 'auth'
  | 'timeout'
  | 'format'
  | 'overloaded'
  | 'server'
  | 'network'
  | 'not_found'
  | 'interrupted'
  | 'aborted'
  | 'content_policy'
  | 'context_overflow'
  | 'unknown';

/** Thrown by the stream, and nothing else is. */
export class ModelFailure extends Error {
  readonly class: FailureClass;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** A human-readable name of where the call went: provider and host, never a credential. */
  readonly where: string;
  constructor(init: {
    class: FailureClass;
    message: string;
    where: string;
    status?: number | undefined;
    retryAfterMs?: number | undefined;
    cause?: unknown;
  }) {
    super(init.message, { cause: init.cause });
    this.name = 'ModelFailure';
    this.class = init.class;
    this.status = init.status;
    this.retryAfterMs = init.retryAfterMs;
    this.where = init.where;
  }
}

export interface ModelInfo {
  readonly id: string;
  readonly provider: string;
  readonly contextWindow?: number;
  /** What a user message to it may hold. Absent: not known, ask and see. */
  readonly input?: readonly ModelInput[];
}

/** `image`: PNG, JPEG, GIF or WebP. `file`: PDF and text. */
export type ModelInput = 'text' | 'image' | 'file';

/** Somebody who runs models: what an API must offer to be one. */
export interface Provider {
  /** The name under `models.providers`. */
  readonly name: string;
  readonly api: 'openai-completions' | 'openai-responses' | 'anthropic-messages' | 'loopback' | 'custom';
  /**
   * One call. Yields parts; ends after `finish`; throws ModelFailure for everything else, an abort included
   * (class `aborted`). A stream that ends without a finish part is a failure (`interrupted`), never a success.
   */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelPart>;
  models(): readonly ModelInfo[];
}

import type { z } from 'zod';

/** For whom, where and how long a tool runs. */
export interface ToolContext {
  readonly agentId: string;
  readonly sessionKey: string;
  readonly runId: string;
  readonly toolCallId: string;
  /** The agent's workspace: the only folder a built-in touches. Absolute. */
  readonly workspace: string;
  /** Aborted at the tool's timeout, by chat.abort, and when the incarnation ends. */
  readonly signal: AbortSignal;
}

/** A tool: its input is checked against the schema before `run` is called; a throw becomes an error result for the model. */
export interface Tool<S extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly description: string;
  readonly input: S;
  /** May the call be repeated when its outcome is unknown? Read-only tools say true. */
  readonly idempotent: boolean;
  /** Milliseconds. Default 60,000. */
  readonly timeoutMs?: number;
  /** Longest output as text or JSON, in bytes; more is cut with a note. Default 65,536. */
  readonly maxOutputBytes?: number;
  run(input: z.output<S>, context: ToolContext): Promise<unknown>;
}

/** Keeps the input type of a tool without naming it. */
export function defineTool<S extends z.ZodType>(tool: Tool<S>): Tool<S> {
  return tool;
}

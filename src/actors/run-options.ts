import type { RetryPolicy } from '../machines/retry.ts';
import type { LoopPolicyOptions } from '../machines/tool-loop.ts';
import type { Candidate, TurnMessage } from '../machines/turn.ts';
import type { Tool } from '../tools/contract.ts';
import type { SignalSeq } from './signal-seq.ts';

/** What the operator said about runs, resolved per agent at every use, so that a change holds from the next turn on. */
export interface RunOptions {
  /** Primary first, then the fallbacks; `message.options` may ask for another. */
  candidates(agentId: string, message: TurnMessage): readonly Candidate[];
  /** Empty for none. */
  systemPrompt(agentId: string): string;
  /** Absolute. */
  workspace(agentId: string): string;
  /** Those the agent may use. */
  tools(agentId: string): ReadonlyMap<string, Tool>;
  /** When repeated tool calls are a loop. On by default. */
  loop?(agentId: string): LoopPolicyOptions;
  readonly retry: Partial<RetryPolicy>;
  readonly idleMs: number;
  readonly firstByteMs: number;
  /** Shared with the sessions. */
  readonly seq: SignalSeq;
}

/** How turns of a session end, and what is committed of them. Pure. */
import { CoppiceError, normalizeError } from '../errors.ts';
import type { Details, ErrorCode } from '../errors.ts';
import { classifyHeartbeatReply } from './heartbeat-reply.ts';
import { LIMITS } from './limits.ts';
import type { Settled, Settlement, TurnOutcome } from './session-contract.ts';
import { later } from './session-state.ts';
import type { SessionContext, Turn } from './session-state.ts';
import type { RunOutput } from './turn.ts';

const nothingSaid = { messages: [], text: '', usage: null, attempts: 0, toolCalls: 0 } as const;
export const abortedOutput: TurnOutcome = { ...nothingSaid, status: 'aborted', stopReason: 'aborted' };
export function failedOutput(code: ErrorCode, details: Details): TurnOutcome {
  const error = new CoppiceError(code, details);
  return { ...nothingSaid, status: 'error', error: { code, message: `${error.message}. ${error.remedy}` } };
}
/** A turn that is to end asks nothing any more: what it said stands, its open question does not. */
export function finished(context: SessionContext, output: RunOutput): RunOutput {
  if (output.status !== 'undecided' || context.turn?.ending === 'no') return output;
  const { text, usage, attempts, toolCalls } = output;
  const messages = text === '' ? [] : [{ role: 'assistant', content: [{ type: 'text', text }] } as const];
  return { messages, text, usage, attempts, toolCalls, status: 'aborted', stopReason: 'aborted' };
}
export function crashedOutput(crashes: number, thrown: unknown): TurnOutcome {
  return failedOutput('RUN_CRASHED', { crashes, reason: normalizeError(thrown).message });
}

const isSilent = (turn: Turn, outcome: TurnOutcome): boolean =>
  turn.messages.every(({ source }) => source === 'heartbeat') &&
  outcome.status === 'ok' &&
  classifyHeartbeatReply(outcome.text, 0) !== 'sent';

/** What to commit of the turn that just ended. */
export function settlementOf(context: SessionContext): Settlement {
  const { sessionId, turn, input } = context;
  const { sessionKey, agentId } = input;
  const messages = turn?.messages ?? [];
  const output = turn?.output ?? abortedOutput;
  const common = { sessionKey, sessionId, agentId, messages };
  if (output.status === 'undecided') return { ...common, kind: 'question', question: output.question };
  return { ...common, kind: 'turn', outcome: output, silent: turn !== null && isSilent(turn, output) };
}

export function dismissalOf(context: SessionContext): Settlement {
  const { sessionId, dismissed, input } = context;
  const { sessionKey, agentId } = input;
  return {
    kind: 'dismissed',
    sessionKey,
    sessionId,
    agentId,
    messages: dismissed.map(({ message }) => message),
  };
}

const remember = (context: SessionContext, messageIds: readonly string[]): readonly string[] =>
  [...context.recent, ...messageIds].slice(-LIMITS.recentPerSession);

export function closeTurn(context: SessionContext, settled: Settled): Partial<SessionContext> {
  const { turn } = context;
  const closed = {
    turn: null,
    ticketId: null,
    storeFailures: 0,
    nowMs: later(context, settled.atMs),
    quietSince: later(context, settled.atMs),
  };
  if (turn?.output?.status !== 'undecided')
    return { ...closed, recent: remember(context, settled.messageIds) };
  return {
    ...closed,
    question: {
      messages: turn.messages,
      startedAt: turn.startedAt,
      askedAt: settled.askedAt ?? settled.atMs,
    },
  };
}

export function closeDismissed(context: SessionContext, settled: Settled): Partial<SessionContext> {
  const done = new Set(settled.messageIds);
  return {
    dismissed: context.dismissed.filter(({ message }) => !done.has(message.messageId)),
    recent: remember(context, settled.messageIds),
    storeFailures: 0,
    nowMs: later(context, settled.atMs),
  };
}

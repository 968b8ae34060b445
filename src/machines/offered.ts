import type { Trace } from '../bus/trace.ts';
import type { TurnMessage } from './turn.ts';

/** A message on its way in: everything its inbox row needs, except when it was received. Plain JSON. */
export interface OfferedMessage {
  /** Dedupe key: channel/account/platformId. */
  readonly messageId: string;
  readonly runId: string;
  readonly sessionKey: string;
  readonly agentId: string;
  readonly channel: string;
  readonly account: string;
  readonly platformId: string;
  readonly source: 'user' | 'heartbeat' | 'system';
  readonly text: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly trace: Trace;
}

/** What its session is handed once the inbox has it. */
export function turnMessage(message: OfferedMessage, receivedAt: number): TurnMessage {
  const { messageId, runId, text, source, channel, options, trace } = message;
  return { messageId, runId, text, source, channel, options, trace, receivedAt };
}

/** Why a message was not taken. `details` fill the template of the code; `retryAfterMs` among them when a wait helps. */
export interface Refusal {
  readonly requestId: string;
  readonly code: 'OVERLOADED' | 'UNAVAILABLE' | 'DRAINING' | 'SESSION_QUARANTINED';
  readonly details: Readonly<Record<string, unknown>>;
}

/** For the examples of the machines on the way in. */
export const exampleMessage: OfferedMessage = {
  messageId: 'webchat/default/m1',
  runId: 'r1',
  sessionKey: 'agent:main:main',
  agentId: 'main',
  channel: 'webchat',
  account: 'default',
  platformId: 'm1',
  source: 'user',
  text: 'hello',
  options: {},
  trace: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' },
};

import { table } from './table.ts';
import { safe, safeProse, span } from './text.ts';
import type { Paint } from './style.ts';

/** A row of `sessions.list`, as far as it is shown. */
export interface SessionView {
  readonly key: string;
  readonly agentId: string;
  readonly updatedAt: number;
  readonly messageCount: number;
}

/** The answer to `chat.history`. */
export interface HistoryView {
  readonly sessionKey: string;
  readonly sessionId: string | null;
  readonly messages: readonly MessageView[];
  /** Older messages that did not fit. */
  readonly omitted?: number;
}

export interface MessageView {
  readonly role: string;
  readonly content: readonly ContentView[];
  readonly timestamp: number;
  readonly runId?: string;
  /** Accepted, not answered yet. */
  readonly pending?: boolean;
}

interface ContentView {
  readonly type: string;
  readonly text?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  readonly isError?: boolean;
}

export function renderSessions(sessions: readonly SessionView[], now: number, paint: Paint): string[] {
  if (sessions.length === 0) return ['no session yet; `coppice chat` begins one'];
  return table(
    ['session', 'agent', 'messages', 'last'],
    sessions.map(({ key, agentId, messageCount, updatedAt }) => [
      safe(key),
      safe(agentId),
      String(messageCount),
      `${span(now - updatedAt)} ago`,
    ]),
    paint,
  );
}

/** One block per message, tool calls on a line each. */
export function renderHistory({ sessionKey, messages, omitted }: HistoryView, paint: Paint): string[] {
  const older = omitted ? [paint('dim', `… ${omitted} older messages`)] : [];
  return [paint('bold', safe(sessionKey)), ...older, ...messages.flatMap((one) => renderMessage(one, paint))];
}

function renderMessage({ role, content, timestamp, pending }: MessageView, paint: Paint): string[] {
  const at = new Date(timestamp).toISOString().slice(0, 19).replace('T', ' ');
  const state = pending ? '  not answered yet' : '';
  const head = `${paint(role === 'user' ? 'cyan' : 'green', safe(role))}  ${paint('dim', at + state)}`;
  return [head, ...content.flatMap((part) => partLines(part, paint))];
}

function partLines({ type, text = '', toolName = '', input, isError }: ContentView, paint: Paint): string[] {
  if (type === 'text')
    return safeProse(text)
      .split('\n')
      .map((line) => `  ${line}`);
  const detail = type === 'tool-call' ? JSON.stringify(input ?? {}) : isError ? 'failed' : 'answered';
  return [`  ${paint('dim', safe(`· ${toolName} ${detail}`))}`];
}

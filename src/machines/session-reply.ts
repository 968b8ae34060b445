/** A run for hosts that only have a way to answer: no tools, no candidates, no journal. */
import { fromPromise } from 'xstate';
import type { AnyActorRef } from 'xstate';
import { LIMITS } from './limits.ts';
import type { SessionEffects, SessionSignal } from './session-contract.ts';
import type { SessionLine, SessionRecord } from './session-records.ts';
import type { RunInput, RunOutput, TurnMessage } from './turn.ts';

/** What is to be answered. */
export interface ReplyInput {
  readonly sessionKey: string;
  readonly text: string;
  readonly message: TurnMessage;
  /** What was said before, oldest first. */
  readonly transcript: readonly SessionLine[];
  /** Aborted when the turn is: by its user, at a stop, at a kill. */
  readonly signal: AbortSignal;
}

interface Answering {
  readonly records: {
    get(sessionKey: string): SessionRecord | undefined | Promise<SessionRecord | undefined>;
  };
  reply(asked: ReplyInput): AsyncIterable<string>;
  signal(signal: SessionSignal): void;
}

/** One answer, in pieces. Told to abort it ends at once with what was said so far; the host's signal is aborted. */
export function replying({ records, reply, signal: show }: Answering): SessionEffects['run'] {
  const texts = new WeakMap<AnyActorRef, string>();
  const logic = fromPromise<RunOutput, RunInput>(async ({ input, self, signal }) => {
    const { sessionKey, message } = input;
    const transcript = (await records.get(sessionKey))?.transcript ?? [];
    let text = '';
    for await (const piece of reply({ sessionKey, text: message.text, message, transcript, signal })) {
      // A run that was killed goes on here, unheard, until its next piece.
      if (self.getSnapshot().status !== 'active') break;
      const delta = piece.slice(0, LIMITS.responseChars - text.length);
      text += delta;
      texts.set(self as unknown as AnyActorRef, text);
      show({ kind: 'text', runId: message.runId, sessionKey, text, delta });
      if (delta !== piece) return { ...outputOf(text), status: 'ok', stopReason: 'length' };
    }
    return { ...outputOf(text), status: 'ok', stopReason: 'stop' };
  });
  const run: typeof logic = {
    ...logic,
    transition(snapshot, event, scope) {
      if (event.type !== 'run.abort' || snapshot.status !== 'active')
        return logic.transition(snapshot, event, scope);
      const text = texts.get(scope.self as unknown as AnyActorRef) ?? '';
      // This is what aborts the signal.
      const stopped = logic.transition(snapshot, { type: 'xstate.stop' }, scope);
      const output: RunOutput = { ...outputOf(text), status: 'aborted', stopReason: 'aborted' };
      return { ...stopped, status: 'done', output } as unknown as typeof snapshot;
    },
  };
  return run as unknown as SessionEffects['run'];
}

const outputOf = (text: string) => ({
  text,
  messages: text === '' ? [] : [{ role: 'assistant', content: [{ type: 'text', text }] } as const],
  usage: null,
  attempts: 1,
  toolCalls: 0,
});

/** A run, told while it happens. */
import type { RunSignal } from '../../channels/contract.ts';
import { CoppiceError } from '../../errors.ts';
import type { RunRow } from '../../store/contract.ts';
import type { Clock } from '../../supervisor/clock.ts';
import { answerOf, createChunks } from './answer.ts';
import type { EventStream } from './event-stream.ts';

type Chunks = ReturnType<typeof createChunks>;

/** What is known of the answer so far. Signals come in at their pace, the stream takes at its own: nothing queues. */
export interface Draft {
  hear(signal: RunSignal): void;
  /** Sends what there is until `settled` is; resolves with the outcome. Rejects as `settled` does, or with ANSWER_DIVERGED. */
  send(settled: Promise<RunRow>): Promise<RunRow>;
}

export function createDraft(
  stream: EventStream,
  chunks: Chunks,
  deps: { clock: Clock; silenceMs: number },
): Draft {
  const bell = createBell(deps.clock);
  let text = '';
  let sent = '';
  let restarted = false;
  const begin = async (): Promise<void> => {
    if (!stream.begun) await stream.data(chunks.role());
  };
  const say = async (): Promise<boolean> => {
    if (restarted && !continues(text, sent)) throw new CoppiceError('ANSWER_DIVERGED');
    const delta = text.slice(sent.length);
    if (delta === '') return false;
    sent += delta;
    await begin();
    await stream.data(chunks.text(delta));
    return true;
  };
  return {
    hear(signal) {
      if (signal.kind === 'text') text = signal.text;
      else if (signal.kind === 'restarted') restarted = true;
      else return;
      bell.ring();
    },
    async send(settled) {
      let outcome: RunRow | undefined;
      const ended = settled.then((run) => {
        outcome = run;
        bell.ring();
        return false;
      });
      // Heard below, by whoever waits at the bell.
      ended.catch(bell.ring);
      for (;;) {
        if (await say()) continue;
        if (outcome) break;
        if (await Promise.race([bell.wait(deps.silenceMs), ended])) {
          await begin();
          await stream.comment('still working');
        }
      }
      if (outcome.status !== 'ok') return outcome;
      const answer = answerOf(outcome);
      if (!continues(answer.text, sent)) throw new CoppiceError('ANSWER_DIVERGED');
      text = answer.text;
      await say();
      await begin();
      for (const chunk of chunks.end(answer)) await stream.data(chunk);
      return outcome;
    },
  };
}

/** A turn that is begun anew says the same again, up to where it was, or something else. */
const continues = (text: string, sent: string): boolean =>
  text.length >= sent.length ? text.startsWith(sent) : sent.startsWith(text);

function createBell(clock: Clock) {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring(): void {
      rung = true;
      wake?.();
    },
    /** True when nobody rang for `ms`. */
    wait: (ms: number): Promise<boolean> =>
      new Promise((resolve) => {
        const settle = (silent: boolean): void => {
          wake = undefined;
          rung = false;
          clock.clearTimeout(timer);
          resolve(silent);
        };
        const timer = clock.setTimeout(() => settle(true), ms);
        wake = () => settle(false);
        if (rung) settle(false);
      }),
  };
}

/** What the demonstration shows, as data that can be checked afterwards. Pure. */
import type { MessageView } from '../render/sessions.ts';

/** One message of the demonstration, and what its stream said. */
export interface Exchange {
  readonly runId: string;
  readonly message: string;
  readonly status: string;
  readonly text: string;
  /** In how many pieces the answer came. */
  readonly pieces: number;
}

export interface Facts {
  readonly exchanges: readonly Exchange[];
  readonly sessionLives: { readonly before: number; readonly after: number; readonly samePid: boolean };
  readonly kill: {
    /** Of the process that accepted the message and was killed, and of the one that came after. */
    readonly pid: number;
    readonly nextPid: number;
    readonly launcherPid: number | undefined;
    readonly nextLauncherPid: number | undefined;
    readonly runId: string;
    /** What had been heard of the answer when the process was killed. */
    readonly heardBefore: string;
    /** Epoch milliseconds, by the clock of this machine. */
    readonly acceptedAt: number;
    readonly nextStartedAt: number;
  };
  /** Of the session, from chat.history, after everything. */
  readonly messages: readonly MessageView[];
}

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly seen: string;
}

export function judge(facts: Facts): Check[] {
  const { exchanges, sessionLives, kill } = facts;
  const first = exchanges[0];
  const counts = exchanges.map((one) => countOf(facts.messages, one.runId));
  const answered = answerOf(facts.messages, kill.runId);
  return [
    check('the answer was streamed', (first?.pieces ?? 0) > 1, `it came in ${first?.pieces ?? 0} pieces`),
    check(
      'the crashed session actor grew back, in the same process',
      sessionLives.after > sessionLives.before && sessionLives.samePid,
      `life ${sessionLives.before}, then life ${sessionLives.after}`,
    ),
    check(
      'the launcher brought the killed process back',
      kill.nextPid !== kill.pid &&
        kill.launcherPid !== undefined &&
        kill.launcherPid === kill.nextLauncherPid,
      `process ${kill.pid} was killed with -9; its launcher ${kill.launcherPid ?? '?'} started ${kill.nextPid}`,
    ),
    check(
      'the message that the killed process had accepted was answered by the next one',
      kill.heardBefore === '' && answered !== undefined && answered.timestamp >= kill.nextStartedAt,
      answered
        ? `nothing of it was heard before the kill; it was answered ${answered.timestamp - kill.nextStartedAt} ms into the next life`
        : 'there is no answer to it',
    ),
    check(
      'every message stands once in the transcript, and so does every answer',
      exchanges.length > 0 &&
        counts.every(({ asked, answers, pending }) => asked === 1 && answers === 1 && pending === 0),
      counts.map(({ asked, answers }) => `${asked} message, ${answers} answer`).join('; '),
    ),
    check(
      'what was heard is what is on record',
      exchanges.every(
        (one) => one.status === 'ok' && one.text === textOf(answerOf(facts.messages, one.runId)),
      ),
      `${exchanges.filter((one) => one.status === 'ok').length} of ${exchanges.length} turns ended well`,
    ),
  ];
}

/** The answer was on record before the process was killed: this kill shows nothing. */
export function cameTooLate(kill: Facts['kill'], messages: Facts['messages']): boolean {
  const answered = answerOf(messages, kill.runId);
  return kill.heardBefore !== '' || (answered !== undefined && answered.timestamp < kill.nextStartedAt);
}

const check = (name: string, ok: boolean, seen: string): Check => ({ name, ok, seen });

function countOf(messages: readonly MessageView[], runId: string) {
  const own = messages.filter((message) => message.runId === runId);
  return {
    asked: own.filter(({ role }) => role === 'user').length,
    answers: own.filter(isAnswer).length,
    pending: own.filter(({ pending }) => pending === true).length,
  };
}

/** Words for the user: a message that only calls tools is none. */
const isAnswer = (message: MessageView): boolean => message.role === 'assistant' && textOf(message) !== '';

const answerOf = (messages: readonly MessageView[], runId: string): MessageView | undefined =>
  messages.findLast((message) => message.runId === runId && isAnswer(message));

const textOf = (message: MessageView | undefined): string =>
  (message?.content ?? []).map((part) => part.text ?? '').join('');

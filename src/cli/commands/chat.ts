import { randomUUID } from 'node:crypto';
import { CoppiceError } from '../../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { type Input, type Io, writeJson } from '../io.ts';
import { type Link, newsLine, openLink } from '../link.ts';
import type { ChatOptions } from '../options.ts';
import { Answer, toolLine } from '../render/answer.ts';
import { paintFor } from '../render/style.ts';
import { onStopSignals } from '../stop-signals.ts';
import { abortTurn, runTurn, type Saying, type TurnOutcome } from '../turn.ts';

/** What one frame of the wire may hold, with room for its envelope. */
const LONGEST_MESSAGE = 1_000_000;

/** `coppice chat`: one answer to one message, or a conversation on a terminal. */
export async function chat(io: Io, given: string | undefined, options: ChatOptions): Promise<number> {
  const message = given ?? (await piped(io.stdin));
  if (message === undefined) return converseOnTerminal(io, options);
  if (message.trim() === '') throw new CoppiceError('USAGE', { reason: 'the message is empty' });
  return answerOnce(io, message, options);
}

/** Undefined: a person sits there. */
async function piped(stdin: Input | undefined): Promise<string | undefined> {
  if (!stdin || stdin.isTTY) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    if ((size += chunk.length) > LONGEST_MESSAGE)
      throw new CoppiceError('USAGE', { reason: `a message has at most ${LONGEST_MESSAGE} bytes` });
  }
  return Buffer.concat(chunks).toString('utf8').trimEnd();
}

async function converseOnTerminal(io: Io, options: ChatOptions): Promise<number> {
  if (options.json || !io.stdin?.isTTY)
    throw new CoppiceError('USAGE', {
      reason: `chat ${options.json ? '--json ' : ''}needs a message, as an argument or on standard input`,
    });
  const { converse } = await import('../conversation.ts');
  return converse(io, options);
}

async function answerOnce(io: Io, message: string, options: ChatOptions): Promise<number> {
  const saying = { sessionKey: options.session, message, runId: randomUUID() };
  const answer = new Answer({
    terminal: io.stdout.isTTY === true,
    write: (text) => void (options.json || io.stdout.write(text)),
    note: (line) => void io.stderr.write(`${line}\n`),
  });
  const link = await openLink(io, options, { onNews: (news) => answer.remark(newsLine(news)) });
  const stop = onStopSignals(abortThenLeave(link, saying, answer));
  try {
    const outcome = await runTurn(link, saying, earFor(io, answer));
    return options.json ? document(io, outcome) : spoken(answer, outcome);
  } finally {
    stop();
    link.close();
  }
}

/** The first signal ends the turn, the second one this command. */
function abortThenLeave(link: Link, saying: Saying, answer: Answer): () => void {
  let asked = false;
  return () => {
    if (asked) return link.close();
    asked = true;
    abortTurn(link, saying).catch((error: unknown) => answer.remark(`not aborted: ${String(error)}`));
  };
}

function earFor(io: Io, answer: Answer): Parameters<typeof runTurn>[2] {
  const paint = paintFor(io.stderr, io.env);
  return {
    text: (soFar) => answer.text(soFar),
    tool: (call) => {
      const line = io.stderr.isTTY ? toolLine(call, paint, io.stderr.columns) : undefined;
      if (line !== undefined) answer.remark(line);
    },
  };
}

function document(io: Io, outcome: TurnOutcome): number {
  writeJson(io.stdout, outcome);
  return outcome.status === 'ok' ? EXIT.ok : EXIT.error;
}

function spoken(answer: Answer, { status, text, error, sessionKey }: TurnOutcome): number {
  answer.end(status === 'ok' ? text : '');
  if (status === 'ok') return EXIT.ok;
  throw new CoppiceError('TURN_FAILED', { sessionKey, status, reason: error?.message });
}

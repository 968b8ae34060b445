import { randomUUID } from 'node:crypto';
import { createInterface, type Interface } from 'node:readline';
import { CoppiceError, normalizeError } from '../errors.ts';
import { HISTORY_LINES, readHistory, writeHistory } from './chat-history.ts';
import { EXIT } from './exit-codes.ts';
import type { Io, Output } from './io.ts';
import { type Link, type LinkNews, newsLine, openLink } from './link.ts';
import type { ChatOptions } from './options.ts';
import { Answer, toolLine } from './render/answer.ts';
import { type Paint, paintFor } from './render/style.ts';
import { safe } from './render/text.ts';
import { stateDirectory } from './state-directory.ts';
import { onStopSignals } from './stop-signals.ts';
import { abortTurn, runTurn, type Saying } from './turn.ts';

const HELP = [
  '/new           begin this session anew',
  '/session KEY   talk in another session',
  '/help          this',
  '/quit          leave (Ctrl-D does, too)',
  'Ctrl-C ends the running answer, and a second one leaves. Anything else, also with a /, goes to the agent.',
];
/** Lines typed while an answer comes; they are sent after it. */
const TYPED_AHEAD = 20;

/** A conversation on a terminal, until /quit, Ctrl-D or two Ctrl-C. */
export async function converse(io: Io, options: ChatOptions): Promise<number> {
  const conversation = new Conversation(io, options);
  const link = await openLink(io, options, {
    patienceMs: Number.POSITIVE_INFINITY,
    onNews: (news) => conversation.onNews(news),
  });
  return conversation.run(link);
}

interface RunningTurn {
  readonly saying: Saying;
  readonly answer: Answer;
  aborted: boolean;
}

class Conversation {
  readonly #io: Io;
  readonly #paint: Paint;
  readonly #stateDir: string;
  readonly #typed: string[] = [];
  #session: string;
  #link!: Link;
  #lines!: Interface;
  #wake: (() => void) | undefined;
  #leaving = false;
  /** The turn that runs now, and how it is shown. */
  #turn: RunningTurn | undefined;
  /** A Ctrl-C at the prompt: one more leaves. */
  #warned = false;

  constructor(io: Io, options: ChatOptions) {
    this.#io = io;
    this.#paint = paintFor(io.stdout, io.env);
    this.#stateDir = stateDirectory(options.stateDir, io.env);
    this.#session = options.session;
  }

  async run(link: Link): Promise<number> {
    this.#link = link;
    this.#lines = this.#openLines();
    const stop = onStopSignals(() => this.#leave());
    try {
      this.#say(`talking in ${this.#session}; /help says what else there is`);
      for (let line = await this.#next(); line !== undefined; line = await this.#next())
        await this.#obey(line.trim());
      return EXIT.ok;
    } finally {
      stop();
      this.#leave();
    }
  }

  onNews(news: LinkNews): void {
    const line = newsLine(news);
    if (this.#turn) return this.#turn.answer.remark(this.#paint('yellow', line));
    // At the prompt: above the line that is being typed, which is drawn again.
    this.#io.stdout.write(`\r\u001b[K${this.#paint('yellow', safe(line))}\n`);
    this.#lines.prompt(true);
  }

  #openLines(): Interface {
    const lines = createInterface({
      input: this.#io.stdin!,
      output: writable(this.#io.stdout),
      terminal: true,
      prompt: `${this.#paint('cyan', 'you')} > `,
      history: readHistory(this.#stateDir),
      historySize: HISTORY_LINES,
      removeHistoryDuplicates: true,
    });
    lines.on('line', (line) => this.#take(line));
    lines.on('SIGINT', () => this.#interrupt());
    lines.on('close', () => this.#leave());
    lines.on('history', (history) => this.#keep(history));
    return lines;
  }

  #keep(history: readonly string[]): void {
    try {
      writeHistory(this.#stateDir, history);
    } catch (error) {
      // The conversation is worth more than its history: said once.
      this.#lines.removeAllListeners('history');
      this.#say(`what you type is not kept: ${normalizeError(error).message}`);
    }
  }

  #take(line: string): void {
    this.#warned = false;
    if (this.#typed.length >= TYPED_AHEAD) return this.#say('too much is waiting; this line is not sent');
    this.#typed.push(line);
    this.#wake?.();
  }

  /** The next line; undefined when it is time to leave. */
  async #next(): Promise<string | undefined> {
    if (this.#typed.length === 0 && !this.#leaving) {
      this.#lines.prompt();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#leaving ? undefined : this.#typed.shift();
  }

  #interrupt(): void {
    const { line } = this.#lines;
    if (this.#turn) return this.#abort(this.#turn);
    if (this.#warned) return this.#leave();
    this.#warned = true;
    // Ctrl-U: what was typed so far is thrown away.
    if (line !== '') this.#lines.write(null, { ctrl: true, name: 'u' });
    this.#io.stdout.write('\n');
    this.#say('Ctrl-C once more, or Ctrl-D, leaves');
    this.#lines.prompt();
  }

  #abort(turn: RunningTurn): void {
    if (turn.aborted) return this.#leave();
    turn.aborted = true;
    turn.answer.remark(this.#paint('dim', 'ending this answer; Ctrl-C once more leaves'));
    abortTurn(this.#link, turn.saying).catch((error: unknown) => {
      if (!this.#leaving) turn.answer.remark(`not aborted: ${normalizeError(error).message}`);
    });
  }

  #leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#link.close();
    this.#lines.close();
    this.#io.stdout.write('\n');
    this.#wake?.();
  }

  async #obey(line: string): Promise<void> {
    const [command, ...rest] = line.split(/\s+/);
    if (line === '') return;
    if (command === '/quit' || command === '/exit') return this.#leave();
    if (command === '/help') return HELP.forEach((one) => this.#say(one));
    try {
      if (command === '/new') await this.#reset();
      else if (command === '/session') this.#move(rest.join(' '));
      else await this.#speak(line);
    } catch (error) {
      if (!this.#leaving) this.#complain(error);
    }
  }

  async #reset(): Promise<void> {
    const client = await this.#link.client();
    await client.request('sessions.reset', { key: this.#session, reason: 'new' });
    this.#say(`${this.#session} begins anew`);
  }

  #move(key: string): void {
    if (key !== '') this.#session = key;
    this.#say(`talking in ${this.#session}`);
  }

  async #speak(message: string): Promise<void> {
    const saying = { sessionKey: this.#session, message, runId: randomUUID() };
    const answer = new Answer({
      terminal: true,
      write: (text) => void this.#io.stdout.write(text),
      note: (line) => void this.#io.stdout.write(`${line}\n`),
    });
    this.#turn = { saying, answer, aborted: false };
    try {
      const { status, text, error } = await runTurn(this.#link, saying, {
        text: (soFar) => answer.text(soFar),
        tool: (call) => {
          const line = toolLine(call, this.#paint, this.#io.stdout.columns);
          if (line !== undefined) answer.remark(line);
        },
      });
      answer.end(status === 'ok' ? text : '');
      if (status === 'aborted') this.#say('(ended)');
      else if (status === 'error')
        this.#complain(
          new CoppiceError('TURN_FAILED', { sessionKey: this.#session, status, reason: error?.message }),
        );
    } finally {
      this.#turn = undefined;
    }
  }

  #say(line: string): void {
    this.#io.stdout.write(`${this.#paint('dim', safe(line))}\n`);
  }

  #complain(error: unknown): void {
    const { message } = normalizeError(error);
    const remedy = error instanceof CoppiceError ? `  ${error.remedy} ${error.publicCode}\n` : '';
    this.#io.stdout.write(
      `${this.#paint('red', safe(message))}\n${this.#paint('dim', safe(remedy.trimEnd()))}\n`,
    );
  }
}

/** A terminal is a stream; what a test hands in may be less. */
function writable(output: Output): NodeJS.WritableStream {
  if ('on' in output && 'end' in output) return output as Output & NodeJS.WritableStream;
  throw new CoppiceError('USAGE', { reason: 'a conversation needs a terminal; give chat a message instead' });
}

import { cells, cut, safe, safeProse } from './text.ts';
import type { Paint } from './style.ts';
import type { ToolNews } from '../turn.ts';

export interface AnswerOutput {
  /** The answer itself. On a terminal it is made safe first. */
  readonly terminal: boolean;
  write(text: string): void;
  /** A remark beside it. */
  note(line: string): void;
}

/**
 * An answer that arrives in pieces and may begin anew, shown once: what stands is not said again, and what differs
 * from it is said whole, with a remark.
 */
export class Answer {
  readonly #output: AnswerOutput;
  #shown = '';
  #atLineStart = true;

  constructor(output: AnswerOutput) {
    this.#output = output;
  }

  /** All of it so far. */
  text(soFar: string): void {
    if (soFar.startsWith(this.#shown)) return this.#show(soFar.slice(this.#shown.length), soFar);
    // After a crash it begins anew, and has not caught up yet.
    if (this.#shown.startsWith(soFar)) return;
    this.#beginAgain(soFar);
  }

  /** The whole of it, from the record. */
  end(text: string): void {
    if (text.startsWith(this.#shown)) this.#show(text.slice(this.#shown.length), text);
    else if (text !== '') this.#beginAgain(text);
    this.#endLine();
  }

  /** A line of its own, wherever the answer stands. */
  remark(line: string): void {
    if (this.#output.terminal) this.#endLine();
    this.#output.note(line);
  }

  #beginAgain(text: string): void {
    this.remark('the answer begins again');
    this.#endLine();
    this.#show(text, text);
  }

  #show(piece: string, soFar: string): void {
    this.#shown = soFar;
    if (piece === '') return;
    this.#output.write(this.#output.terminal ? safeProse(piece) : piece);
    this.#atLineStart = piece.endsWith('\n');
  }

  #endLine(): void {
    if (this.#atLineStart) return;
    this.#output.write('\n');
    this.#atLineStart = true;
  }
}

/** One dim line for one tool call; undefined for what is not worth one. */
export function toolLine(
  { phase, name, args, result, isError }: ToolNews,
  paint: Paint,
  width = 100,
): string | undefined {
  if (phase === 'result' && !isError) return undefined;
  const detail = phase === 'start' ? JSON.stringify(args ?? {}) : `failed: ${textOf(result)}`;
  const line = safe(`· ${name} ${detail === '{}' ? '' : detail}`.trimEnd());
  return paint('dim', cells(line) > width ? cut(line, width) : line);
}

function textOf(result: unknown): string {
  return typeof result === 'string' ? result : (JSON.stringify(result) ?? 'without a reason');
}

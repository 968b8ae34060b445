/** What a screen is drawn on: a terminal's output. */
export interface Terminal {
  readonly rows?: number;
  write(text: string): unknown;
}

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** The alternate screen: what stood on the terminal is there again after `leave`. */
export interface Screen {
  /** Draws the lines that fit, from the top. */
  draw(lines: readonly string[]): void;
  /** Idempotent. Also called when the process exits, so that no way out leaves a terminal without a cursor. */
  leave(): void;
}

export function enterScreen(terminal: Terminal): Screen {
  let entered = true;
  const leave = (): void => {
    if (!entered) return;
    entered = false;
    process.off('exit', leave);
    terminal.write(LEAVE);
  };
  process.on('exit', leave);
  terminal.write(ENTER);
  return {
    draw(lines) {
      if (!entered) return;
      terminal.write(
        HOME + fit(lines, terminal.rows ?? 24).join(`${CLEAR_LINE}\n`) + CLEAR_LINE + CLEAR_BELOW,
      );
    },
    leave,
  };
}

function fit(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more`];
}

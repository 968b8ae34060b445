import { prettyFactory } from 'pino-pretty';

export type ConsoleStyle = 'pretty' | 'compact' | 'json';

/** The part of a stream the log uses; `process.stderr` is one. */
export interface ConsoleStream {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  readonly writableLength?: number;
  on?(event: 'error', listener: (error: Error) => void): unknown;
  off?(event: 'error', listener: (error: Error) => void): unknown;
}

export interface ConsoleSink {
  /** One JSON line, its newline included. */
  write(line: string): void;
  close(): void;
  readonly dropped: number;
}

/** A reader that does not read must not fill our memory. */
const MAX_BACKLOG = 1_048_576;

/** Colour is for people at a terminal who did not decline it (https://no-color.org). */
export function wantsColour(
  stream: ConsoleStream,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

export function createConsoleSink(options: {
  stream: ConsoleStream;
  style: ConsoleStyle;
  colour: boolean;
}): ConsoleSink {
  const { stream } = options;
  const render = RENDER[options.style](options.colour);
  let dropped = 0;
  let announced = 0;
  let broken = false;
  // A closed pipe (`coppice run | head`) ends the console, not the gateway.
  const onError = (): void => {
    broken = true;
  };
  stream.on?.('error', onError);
  const notice = (): string => {
    const lost = dropped - announced;
    announced = dropped;
    return lost > 0 ? `[${lost} log lines not shown: the reader was too slow]\n` : '';
  };
  return {
    write(line) {
      if (broken || (stream.writableLength ?? 0) > MAX_BACKLOG) {
        dropped += 1;
        return;
      }
      stream.write(notice() + render(line));
    },
    close: () => void stream.off?.('error', onError),
    get dropped() {
      return dropped;
    },
  };
}

type Render = (line: string) => string;

const RENDER: Record<ConsoleStyle, (colour: boolean) => Render> = {
  json: () => (line) => line,
  pretty: (colour) => {
    const render = prettyFactory({
      colorize: colour,
      translateTime: 'SYS:HH:MM:ss.l',
      ignore: 'pid',
      singleLine: true,
      hideObject: true,
      messageFormat: (record, messageKey) => sentence(record, record[messageKey]),
    });
    // Without the object pino-pretty leaves out the end of the line too.
    return (line) => `${render(line).trimEnd()}\n`;
  },
  compact: (colour) => (line) => compact(JSON.parse(line) as Record<string, unknown>, colour),
};

const COLOURS: Readonly<Record<string, string>> = {
  warn: '33',
  error: '31',
  fatal: '35',
  debug: '2',
  trace: '2',
};

/** `message path key=value ...`: what happened, to whom, and the particulars. */
function sentence(record: Record<string, unknown>, message: unknown): string {
  const { path, data } = record;
  const rest = pairs(record, SHOWN_ELSEWHERE) + (typeof data === 'object' && data ? pairs(data, NONE) : '');
  return [message, path].filter((part) => part !== undefined).join(' ') + rest;
}

const SHOWN_ELSEWHERE = new Set(['level', 'time', 'msg', 'path', 'data', 'pid', 'seq', 'ts', 'type']);
const NONE: ReadonlySet<string> = new Set();

/** ` key=value` each. */
function pairs(fields: object, without: ReadonlySet<string>): string {
  let text = '';
  for (const [key, value] of Object.entries(fields))
    if (!without.has(key)) text += ` ${key}=${JSON.stringify(value)}`;
  return text;
}

/** `12:00:00.000 I message path key=value`, one line each. */
function compact(record: Record<string, unknown>, colour: boolean): string {
  const { level, time, msg } = record;
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  const letter = String(level).slice(0, 1).toUpperCase();
  const text = `${clock} ${letter} ${sentence(record, msg)}`;
  const code = COLOURS[String(level)];
  return colour && code ? `\u001b[${code}m${text}\u001b[0m\n` : `${text}\n`;
}

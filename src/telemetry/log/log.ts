import pino from 'pino';
import type { Logger } from 'pino';
import { normalizeError } from '../../errors.ts';
import { createCollapser } from './collapse.ts';
import { createConsoleSink, wantsColour } from './console-sink.ts';
import type { ConsoleStream, ConsoleStyle } from './console-sink.ts';
import { createFileSink } from './file-sink.ts';
import { createRedactor } from './redact.ts';
import type { Redactor } from './redact.ts';

export type LogLevel = 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

export interface LogOptions {
  /** The folder of the log files; made if missing. */
  readonly dir: string;
  readonly level: LogLevel;
  readonly consoleLevel: LogLevel;
  readonly consoleStyle: ConsoleStyle;
  readonly redactPatterns?: readonly string[];
  /** Values that must never be written: tokens, API keys. */
  readonly secrets?: readonly string[];
  /** Default 20. */
  readonly maxFileMb?: number;
  /** Default 200. */
  readonly maxTotalMb?: number;
  /** Default: standard error, because standard output belongs to a command's answer. */
  readonly stream?: ConsoleStream;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Epoch milliseconds. Default: the system's clock. */
  now?(): number;
  /** The file cannot be written. Default: one line on the console. */
  onError?(error: unknown): void;
}

export interface LogStats {
  readonly file: string;
  readonly written: number;
  /** Lines the file did not take. */
  readonly failed: number;
  readonly collapsed: number;
  /** Lines a slow or closed console did not take. */
  readonly consoleDropped: number;
}

export interface Log {
  /** A pino logger; every line of it and its children passes the redactor. */
  readonly logger: Logger;
  readonly redactor: Redactor;
  stats(): LogStats;
  /** Writes the counts of bursts that are still open. */
  flush(): void;
  close(): void;
}

const MB = 1_048_576;
const SWEEP_MS = 5_000;

const threshold = (level: LogLevel): number =>
  level === 'silent' ? Infinity : (pino.levels.values[level] ?? 30);

export function createLog(options: LogOptions): Log {
  const now = options.now ?? Date.now;
  const stream = options.stream ?? process.stderr;
  const redactor = createRedactor({ patterns: options.redactPatterns ?? [], secrets: options.secrets ?? [] });
  const tell = (error: unknown): void =>
    void stream.write(
      `coppice: the log file cannot be written: ${redactor.text(normalizeError(error).message)}\n`,
    );
  const file = createFileSink({
    dir: options.dir,
    now,
    maxFileBytes: (options.maxFileMb ?? 20) * MB,
    maxTotalBytes: (options.maxTotalMb ?? 200) * MB,
    onError: options.onError ?? tell,
  });
  const terminal = createConsoleSink({
    stream,
    style: options.consoleStyle,
    colour: wantsColour(stream, options.env ?? process.env),
  });
  const fileLevel = threshold(options.level);
  const consoleLevel = threshold(options.consoleLevel);
  const collapser = createCollapser({
    now,
    write(line, level) {
      if (level >= fileLevel) file.write(line);
      if (level >= consoleLevel) terminal.write(line);
    },
  });
  const timer = setInterval(() => collapser.sweep(), SWEEP_MS).unref();
  return {
    logger: createLogger(redactor, Math.min(fileLevel, consoleLevel), now, collapser.write),
    redactor,
    stats: () => ({ ...file.stats, collapsed: collapser.collapsed, consoleDropped: terminal.dropped }),
    flush: () => collapser.sweep(true),
    close() {
      clearInterval(timer);
      collapser.sweep(true);
      file.close();
      terminal.close();
    },
  };
}

/** pino with the redactor at every way in: fields, bindings, messages; and over the finished line as the last net. */
function createLogger(
  redactor: Redactor,
  level: number,
  now: () => number,
  write: (line: string, level: number) => void,
): Logger {
  const fields = (object: object): Record<string, unknown> =>
    redactor.value(object) as Record<string, unknown>;
  const destination = {
    lastLevel: 0,
    write(line: string): void {
      write(line, this.lastLevel);
    },
    // pino's switch for being told the level of each line.
    [Symbol.for('pino.metadata')]: true,
  };
  const logger = pino(
    {
      level: pino.levels.labels[level] ?? 'silent',
      base: { pid: process.pid },
      timestamp: () => `,"time":${now()}`,
      serializers: { err: (error: unknown) => error },
      formatters: { level: (label) => ({ level: label }), log: fields },
      hooks: {
        logMethod(args, method) {
          method.apply(this, args.map((arg, index) => cleanArgument(arg, index, redactor)) as typeof args);
        },
        streamWrite: redactor.line,
      },
    },
    destination,
  );
  // pino does not ask `formatters.bindings` for children. They inherit these two from here.
  const { child, setBindings } = logger;
  return Object.assign(logger, {
    child: function (this: Logger, bindings: object, own?: object) {
      return child.call(this, fields(bindings), own);
    } as typeof child,
    setBindings(this: Logger, bindings: object) {
      setBindings.call(this, fields(bindings));
    },
  });
}

/** The first object is cleaned by `formatters.log`; later ones are values for `%j` and `%o`. */
function cleanArgument(arg: unknown, index: number, redactor: Redactor): unknown {
  if (arg instanceof Error) return { err: redactor.value(arg), msg: redactor.text(arg.message) };
  return typeof arg === 'string' || index > 0 ? redactor.value(arg) : arg;
}

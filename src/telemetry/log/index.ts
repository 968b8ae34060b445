/** The log: facts and lines as JSON in bounded files and, for people, on the console. Secrets never get there. */
export type { ConsoleStream, ConsoleStyle } from './console-sink.ts';
export { logFacts } from './facts.ts';
export { createLog } from './log.ts';
export type { Log, LogLevel, LogOptions, LogStats } from './log.ts';
export { createRedactor, isSecretKey, REDACTED } from './redact.ts';
export type { Redactor, RedactorOptions } from './redact.ts';

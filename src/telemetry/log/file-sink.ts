import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export interface FileSinkOptions {
  readonly dir: string;
  /** Epoch milliseconds: names the day (UTC). */
  now(): number;
  readonly maxFileBytes: number;
  /** All log files together, the current one at its full size included. */
  readonly maxTotalBytes: number;
  /** Called once per episode of failure, not once per line. */
  onError(error: unknown): void;
}

export interface FileSink {
  /** Synchronous: what is written survives any kill of the process. A failure is counted, never thrown. */
  write(line: string): void;
  close(): void;
  readonly stats: { readonly file: string; readonly written: number; readonly failed: number };
}

/** After a failed write the file is not tried again for so long. */
const RETRY_MS = 1_000;
const OURS = /^coppice-(\d{4}-\d{2}-\d{2})(?:\.(\d+))?\.log$/;

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** `coppice-YYYY-MM-DD.log`, and `coppice-YYYY-MM-DD.N.log` for what was full, N rising. 0600 in a 0700 folder. */
export function createFileSink(options: FileSinkOptions): FileSink {
  let fd: number | undefined;
  let day = '';
  let size = 0;
  let failing = false;
  let retryAt = 0;
  const count = { written: 0, failed: 0 };
  const current = (): string => join(options.dir, `coppice-${day}.log`);

  const close = (): void => {
    if (fd === undefined) return;
    const closing = fd;
    fd = undefined;
    closeSync(closing);
  };
  const open = (): number => {
    day = dayOf(options.now());
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    // No following of links: the folder may be shared with somebody who would like us to append elsewhere.
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    const opened = openSync(current(), flags, 0o600);
    size = fstatSync(opened).size;
    chmodSync(current(), 0o600);
    return opened;
  };
  const rotate = (bytes: number): void => {
    const full = size > 0 && size + bytes > options.maxFileBytes;
    if (fd === undefined || (!full && day === dayOf(options.now()))) return;
    close();
    if (full) renameSync(current(), join(options.dir, `coppice-${day}.${nextNumber(options.dir, day)}.log`));
  };
  const write = (line: string): void => {
    const bytes = Buffer.from(line);
    rotate(bytes.length);
    if (fd === undefined) {
      fd = open();
      prune(options.dir, `coppice-${day}.log`, options.maxTotalBytes - options.maxFileBytes);
      rotate(bytes.length);
      fd ??= open();
    }
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    size += bytes.length;
    count.written += 1;
    failing = false;
  };
  const fail = (error: unknown): void => {
    count.failed += 1;
    retryAt = options.now() + RETRY_MS;
    if (!failing) options.onError(error);
    failing = true;
    try {
      close();
    } catch (closing) {
      options.onError(closing);
    }
  };

  return {
    write(line) {
      if (failing && options.now() < retryAt) {
        count.failed += 1;
        return;
      }
      try {
        write(line);
      } catch (error) {
        fail(error);
      }
    },
    close,
    get stats() {
      return { file: current(), ...count };
    },
  };
}

interface LogFile {
  readonly name: string;
  readonly day: string;
  readonly number: number;
}

function logFiles(dir: string): LogFile[] {
  if (!existsSync(dir)) return [];
  const found = readdirSync(dir).flatMap((name) => {
    const match = OURS.exec(name);
    // The file without a number is the newest of its day.
    return match?.[1] ? [{ name, day: match[1], number: match[2] ? Number(match[2]) : Infinity }] : [];
  });
  return found.toSorted((a, b) => a.day.localeCompare(b.day) || a.number - b.number);
}

function nextNumber(dir: string, day: string): number {
  const used = logFiles(dir).filter((file) => file.day === day && file.number !== Infinity);
  return (used.at(-1)?.number ?? 0) + 1;
}

/** Deletes the oldest until the finished files fit into `budget`. */
function prune(dir: string, current: string, budget: number): void {
  const finished = logFiles(dir).filter((file) => file.name !== current);
  const sizes = finished.map((file) => statSync(join(dir, file.name)).size);
  let total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  for (const [index, file] of finished.entries()) {
    if (total <= budget) return;
    unlinkSync(join(dir, file.name));
    total -= sizes[index] ?? 0;
  }
}

import { dirname, join } from 'node:path';
import { CoppiceError } from '../errors.ts';
import type { Store } from './contract.ts';
import { prepareDirectory, protectFile } from './directory.ts';
import { openReader } from './reader.ts';
import type { OpenReader } from './reader.ts';
import { statements } from './statements.ts';
import { startWriter } from './writer.ts';
import type { Writer, WriterStats } from './writer.ts';

export const STORE_FILE = 'coppice.db';

export interface StoreOptions {
  /** The state directory; the store is `coppice.db` in it. Made with mode 0700 when it is missing. */
  readonly dir?: string;
  /** Another file instead. */
  readonly file?: string;
  /** Who writes: stamped on every row. 1 to 200 characters. */
  readonly owner: string;
  /** How long a write waits for another process that writes (a backup, say). Default 5,000. */
  readonly busyTimeoutMs?: number;
  /** Transactions that may wait for the disk. Default 10,000; more are refused with STORE_BUSY. */
  readonly queueLimit?: number;
  /** Transactions that share one commit at most. Default 1,000. */
  readonly groupLimit?: number;
  /**
   * Called once when the store can write no more and was not told to close: the thread died, the disk failed, or a
   * later life took over. Reads go on. Close it and open it again.
   */
  readonly onFailed?: (error: CoppiceError) => void;
}

export interface OpenStore extends Store {
  readonly file: string;
  readonly schema: number;
  /** Rises by one with every opening of the file. */
  readonly epoch: number;
  stats(): WriterStats;
  /** Ends the writer without draining: what waits is rejected with STORE_UNKNOWN. For a `close` that takes too long. */
  terminate(): Promise<void>;
}

const DEFAULTS = { busyTimeoutMs: 5_000, queueLimit: 10_000, groupLimit: 1_000 } as const;
/** What waits for the disk may hold this much text, so that a slow disk cannot eat the heap. */
const QUEUE_CHARACTERS = 64 * 1024 * 1024;

/**
 * Opens the durable store, new or old, and takes the next epoch of it: an earlier life that still has it open can
 * write no more. Rejects with STORE_UNWRITABLE, STORE_NEWER, STORE_DAMAGED, STORE_FULL, STORE_BUSY or STORE_FAILED.
 */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const file = fileOf(options);
  checkOwner(options.owner);
  prepareDirectory(dirname(file));
  const { owner, onFailed = () => {} } = options;
  const limits = { ...DEFAULTS, ...withoutUndefined(options), queueCharacters: QUEUE_CHARACTERS };
  const { busyTimeoutMs, queueLimit, groupLimit, queueCharacters } = limits;
  const writer = await startWriter({
    file,
    owner,
    busyTimeoutMs,
    queueLimit,
    groupLimit,
    queueCharacters,
    onFailed,
  });
  try {
    for (const suffix of ['-wal', '-shm']) protectFile(`${file}${suffix}`);
    return compose(file, writer, openReader(file));
  } catch (error) {
    await writer.close();
    throw error;
  }
}

function compose(file: string, writer: Writer, reader: OpenReader): OpenStore {
  let closing: Promise<void> | undefined;
  const end = async (stop: () => Promise<void>): Promise<void> => {
    await stop();
    reader.close();
  };
  const close = async (): Promise<void> => {
    await writer.idle();
    reader.close();
    await writer.close();
  };
  return {
    file,
    schema: writer.schema,
    epoch: writer.epoch,
    statements,
    read: reader,
    commit: (list) => (closing ? Promise.reject(new CoppiceError('STORE_CLOSED')) : writer.commit(list)),
    stats: () => writer.stats(),
    close: () => (closing ??= close()),
    terminate: () => (closing = end(() => writer.terminate())),
  };
}

function fileOf({ dir, file }: StoreOptions): string {
  if (file !== undefined) return file;
  if (dir !== undefined) return join(dir, STORE_FILE);
  throw new CoppiceError('STORE_UNWRITABLE', {
    path: '(none)',
    reason: 'neither a directory nor a file was named',
  });
}

function checkOwner(owner: string): void {
  const plain = owner.length > 0 && owner.length <= 200 && !owner.includes('\0');
  if (!plain)
    throw new CoppiceError('STORE_VALUE', { field: 'owner', reason: 'it must be 1 to 200 characters' });
}

function withoutUndefined(options: StoreOptions): Partial<typeof DEFAULTS> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

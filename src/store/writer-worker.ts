/**
 * The worker thread: one writing connection, and nothing else. An fsync blocks this thread and not the gateway's
 * loop. While one group is on its way to the disk the next one gathers at the port: load makes groups larger, not
 * commits more frequent, and no timer is needed.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { openConnection } from './connection.ts';
import type { Connection } from './connection.ts';
import { failureOf } from './failure.ts';
import type { Failure } from './failure.ts';
import { createGroupCommitter } from './group-commit.ts';
import type { GroupResult, Transaction } from './group-commit.ts';
import type { FromWriter, ToWriter, WriterData } from './writer-port.ts';

function serve(port: MessagePort, data: WriterData): void {
  const answer = (message: FromWriter): void => port.postMessage(message);
  const connection = open(data, answer);
  if (!connection) return port.close();
  const write = createWriting(connection, answer);
  port.on('message', (first: ToWriter) => {
    const { transactions, close } = drain(port, first, data.groupLimit);
    if (transactions.length > 0) write(transactions, data.groupLimit);
    if (!close) return;
    // Fold the WAL into the file, whoever still reads from it.
    connection.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    connection.db.close();
    port.close();
  });
  answer({ type: 'ready', schema: connection.schema, epoch: connection.epoch });
}

function open(data: WriterData, answer: (message: FromWriter) => void): Connection | undefined {
  try {
    return openConnection(data);
  } catch (error) {
    answer({ type: 'refused', failure: failureOf(error, data.file) });
    return undefined;
  }
}

/** Everything that has arrived, up to about one group; `close` is always the last message of its port. */
function drain(
  port: MessagePort,
  first: ToWriter,
  limit: number,
): { transactions: Transaction[]; close: boolean } {
  const transactions: Transaction[] = [];
  let message: ToWriter | undefined = first;
  while (message) {
    if (message.type === 'close') return { transactions, close: true };
    transactions.push(...message.transactions);
    if (transactions.length >= limit) break;
    message = receiveMessageOnPort(port)?.message as ToWriter | undefined;
  }
  return { transactions, close: false };
}

function createWriting(connection: Connection, answer: (message: FromWriter) => void) {
  const committer = createGroupCommitter(connection);
  let broken: Failure | undefined;
  const group = (transactions: readonly Transaction[]): GroupResult => {
    if (broken) return refuse(transactions, broken);
    const result = committer.run(transactions);
    broken = result.broken;
    return result;
  };
  return (transactions: readonly Transaction[], limit: number): void => {
    for (let from = 0; from < transactions.length; from += limit) {
      answer({ type: 'group', ...group(transactions.slice(from, from + limit)) });
    }
  };
}

/** Nothing is tried again on a connection that has failed: it is opened anew, by whoever supervises the store. */
function refuse(transactions: readonly Transaction[], failure: Failure): GroupResult {
  return { outcomes: transactions.map(({ id }) => ({ id, failure })), commits: 0 };
}

if (!parentPort) throw new Error('writer-worker.ts runs in a worker thread only');
serve(parentPort, workerData as WriterData);

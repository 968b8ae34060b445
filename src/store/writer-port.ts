/** What the two sides of the worker thread say to each other. Plain data only. */
import type { ConnectionOptions } from './connection.ts';
import type { Failure } from './failure.ts';
import type { GroupResult, Transaction } from './group-commit.ts';

export interface WriterData extends ConnectionOptions {
  /** Transactions that share one commit at most. */
  readonly groupLimit: number;
}

export type ToWriter =
  | { readonly type: 'commit'; readonly transactions: readonly Transaction[] }
  | { readonly type: 'close' };

export type FromWriter =
  | { readonly type: 'ready'; readonly schema: number; readonly epoch: number }
  | { readonly type: 'refused'; readonly failure: Failure }
  | ({ readonly type: 'group' } & GroupResult);

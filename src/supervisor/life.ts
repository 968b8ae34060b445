import type { Hold } from './hold.ts';
import type { Reply } from './state.ts';
import type { Spender } from './turn-budget.ts';

/** What is counted and held for one incarnation, and gone with it: the next one is neither suspended nor spent. */
export interface Life extends Spender {
  readonly startedAt: number;
  /** Events taken. */
  events: number;
  /** Present while it is suspended, and until what waited then has been taken. */
  hold: Hold | undefined;
  /** Of a supervisor: who waits for an answer. Whatever becomes of it and its mailbox, they get one. */
  asked: Set<(reply: Reply) => void> | undefined;
}

export const newLife = (startedAt: number): Life => ({
  startedAt,
  events: 0,
  hold: undefined,
  asked: undefined,
  turn: -1,
  turnEvents: 0,
});

/** Events that wait for a suspended actor; undefined for one that is not. */
export const heldBy = (life: Life | undefined): number | undefined =>
  life?.hold && !life.hold.draining ? life.hold.events.length : undefined;

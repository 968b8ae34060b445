import type { OutboxRow, Statement } from '../store/contract.ts';
import type { Deps } from './deps.ts';
import { PATHS } from './paths.ts';
import type { SessionOptions, SettledTurn } from './session.ts';

/** A reply older than this is not worth sending any more: it is listed as expired. */
const REPLY_LIFE_MS = 24 * 3_600_000;

interface ReplyTo {
  readonly channel: string;
  readonly account: string;
  readonly target: string;
}

/** The deliveries of a turn's reply, written in the very transaction that settles the turn; the outbox sends them after. */
export function deliveriesOf(
  deps: Pick<Deps, 'store' | 'registry' | 'channels'>,
): Required<Pick<SessionOptions, 'alsoCommit' | 'committed'>> {
  const rows = (turn: SettledTurn): OutboxRow[] =>
    turn.silent
      ? []
      : turn.messages.flatMap(({ runId, options }) => rowOf(deps, turn, runId, options['replyTo']));
  return {
    alsoCommit: (turn): Statement[] => rows(turn).flatMap((row) => deps.store.statements.addDelivery(row)),
    committed: (turn) => {
      if (rows(turn).length > 0) deps.registry.tell(PATHS.outbox, { type: 'outbox.added' });
    },
  };
}

function rowOf(
  { channels }: Pick<Deps, 'channels'>,
  { sessionKey, outcome, at }: SettledTurn,
  runId: string,
  replyTo: unknown,
): OutboxRow[] {
  if (!isReplyTo(replyTo) || !channels.has(replyTo.channel)) return [];
  const text = outcome.status === 'error' ? outcome.error.message : outcome.text;
  if (text === '') return [];
  const { channel, account, target } = replyTo;
  return [
    {
      deliveryId: `${runId}/${channel}`,
      channel,
      account,
      target,
      runId,
      payload: { text, runId, sessionKey },
      status: 'prepared',
      attempts: 0,
      nextAt: at,
      createdAt: at,
      expiresAt: at + REPLY_LIFE_MS,
    },
  ];
}

function isReplyTo(value: unknown): value is ReplyTo {
  const { channel, account, target } = (value ?? {}) as Partial<ReplyTo>;
  return typeof channel === 'string' && typeof account === 'string' && typeof target === 'string';
}

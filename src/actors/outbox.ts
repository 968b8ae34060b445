import { normalizeError } from '../errors.ts';
import { callbackEffect } from '../host/index.ts';
import type { DeliveryAnswer, DeliveryItem } from '../machines/delivery.ts';
import { LIMITS } from '../machines/limits.ts';
import { withEffects } from '../machines/outbox.ts';
import type { DeliverBegin, OutboxEvent, RecordWrite, TakeRun } from '../machines/outbox.ts';
import type { OutboxRow } from '../store/contract.ts';
import type { ChildSpec } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';

type OutboxDeps = Pick<Deps, 'clock' | 'random' | 'store' | 'channels'>;
type Place = { readonly path: string };

/** The outbox. Whoever commits a delivery tells it `outbox.added`; without that it looks by itself. */
export function outboxChild(deps: OutboxDeps): ChildSpec {
  const logic = withEffects({
    take: callbackEffect<TakeRun, Place>(({ onEvent, send }) => onEvent((run) => send(take(deps, run)))),
    record: callbackEffect<RecordWrite, Place>(({ onEvent, send }) =>
      onEvent(({ deliveryId, change }) => {
        const failed = (error: unknown): void =>
          send({ type: 'record.failed', deliveryId, error: normalizeError(error) });
        void record(deps, deliveryId, change).then(() => send({ type: 'record.done', deliveryId }), failed);
      }),
    ),
    deliver: callbackEffect<DeliverBegin, Place>(({ onEvent, send, signal }) =>
      onEvent(({ item }) => {
        const settle = (answer: DeliveryAnswer): void =>
          send({
            type: 'deliver.settled',
            deliveryId: item.deliveryId,
            answer,
            atMs: Math.round(deps.clock.now()),
            roll: deps.random(),
          });
        void deliver(deps, item, signal).then(settle);
      }),
    ),
  });
  return { id: 'outbox', logic, input: ({ path }) => ({ path }) };
}

function take({ clock, store, channels }: OutboxDeps, { limit, except }: TakeRun): OutboxEvent {
  const atMs = Math.round(clock.now());
  const item = ({ runId: _runId, createdAt: _createdAt, ...row }: OutboxRow): DeliveryItem => ({
    ...row,
    idempotent: channels.get(row.channel)?.idempotentDelivery ?? false,
  });
  try {
    const items = store.read.dueDeliveries(atMs, limit, except).map(item);
    return { type: 'take.done', items, nextAt: store.read.nextDeliveryAt() ?? null, atMs };
  } catch (error) {
    return { type: 'take.failed', error: normalizeError(error), atMs };
  }
}

async function record(
  { store }: OutboxDeps,
  deliveryId: string,
  change: RecordWrite['change'],
): Promise<void> {
  await store.commit(store.statements.updateDelivery(deliveryId, change));
}

/** Never rejects: what a channel throws, or does not answer in time, may have arrived. */
async function deliver(
  { clock, channels }: OutboxDeps,
  item: DeliveryItem,
  stopped: AbortSignal,
): Promise<DeliveryAnswer> {
  const channel = channels.get(item.channel);
  if (!channel)
    return {
      kind: 'failed',
      permanent: false,
      reason: `there is no channel ${item.channel} in this configuration`,
      retryAfterMs: 60_000,
    };
  const late = new AbortController();
  const deadline = new Promise<DeliveryAnswer>((resolve) => {
    late.signal.addEventListener('abort', () =>
      resolve({ kind: 'unknown', reason: `no answer within ${LIMITS.deliveryDeadlineMs} ms` }),
    );
  });
  const timer = clock.setTimeout(() => late.abort(), LIMITS.deliveryDeadlineMs);
  const { deliveryId, account, target, payload } = item;
  try {
    const answer = channel.deliver(
      { deliveryId, account, target, payload },
      AbortSignal.any([stopped, late.signal]),
    );
    return await Promise.race([answer, deadline]);
  } catch (error) {
    return { kind: 'unknown', reason: normalizeError(error).message };
  } finally {
    clock.clearTimeout(timer);
  }
}

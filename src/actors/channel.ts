import type { AnyActorLogic, AnyEventObject } from 'xstate';
import type { Channel, ChannelLeg, ChannelMessage, Receipt } from '../channels/contract.ts';
import { CoppiceError } from '../errors.ts';
import { callbackEffect, promiseEffect } from '../host/index.ts';
import { withEffects } from '../machines/channel.ts';
import type { Attempt } from '../machines/channel.ts';
import type { Accepted, Offer } from '../server/port.ts';
import type { ChildSpec, SupervisorSpec } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';
import type { Door } from './door.ts';

type ChannelDeps = Pick<Deps, 'clock' | 'ids'> & { readonly door: Pick<Door, 'offer'> };

/** A credential that is wrong stays wrong: delays grow to a minute before the leg is parked. */
const BACKOFF = { minMs: 1_000, maxMs: 60_000, factor: 2, jitter: 0.2, resetAfterMs: 300_000 } as const;

/**
 * For the supervisor of all channels. A channel has climbed the ladder of a leg twice before it counts here; after
 * the third time within half an hour it is parked, alone, and probed after a minute, then ever more rarely.
 */
export const CHANNELS_SPEC = {
  strategy: 'one_for_one',
  intensity: 2,
  periodMs: 1_800_000,
  onExhausted: 'park',
  probeMs: 60_000,
} as const;

/**
 * A channel: one supervisor, one actor per leg. The legs go down and come up together. When they cannot come up the
 * channel ends, and the supervisor of all channels (see CHANNELS_SPEC) waits, or parks it and spares the others.
 */
export function channelSupervisor(
  deps: ChannelDeps,
  channel: Channel,
  supervisor: (spec: SupervisorSpec) => AnyActorLogic,
): ChildSpec {
  const children = channel.legs.map((leg) => legChild(deps, channel, leg));
  const logic = supervisor({ strategy: 'one_for_all', intensity: 1, periodMs: 600_000, children });
  return { id: channel.name, type: 'supervisor', logic, backoff: BACKOFF };
}

function legChild(deps: ChannelDeps, channel: Channel, leg: ChannelLeg): ChildSpec {
  const attempt = callbackEffect<AnyEventObject, Attempt>(({ input, send, signal, guard, fail }) => {
    const { attempt } = input;
    const lost = guard((reason: string) => send({ type: 'leg.lost', attempt, reason }));
    const receive = (message: ChannelMessage): Promise<Receipt> =>
      signal.aborted ? Promise.reject(replaced(channel, leg)) : offer(deps, channel, message);
    Promise.resolve({ signal, lost, receive })
      .then((context) => leg.start(context))
      .then(() => send({ type: 'leg.started', attempt, atMs: Math.round(deps.clock.now()) }))
      .catch(fail);
  });
  const probe = promiseEffect<void, Attempt>(async ({ signal }) => leg.probe?.(signal));
  return {
    id: leg.name,
    logic: withEffects({ attempt, probe }),
    input: ({ path }) => ({ path, channel: channel.name, leg: leg.name, probes: leg.probe !== undefined }),
    backoff: BACKOFF,
  };
}

const replaced = (channel: Channel, leg: ChannelLeg): CoppiceError =>
  new CoppiceError('UNAVAILABLE', {
    what: `the ${leg.name} leg of ${channel.name}`,
    reason: 'this attempt of it has ended',
  });

/** Resolves when the message is committed, or was before: only then may the platform be told that we have it. */
async function offer(
  { ids, door }: ChannelDeps,
  channel: Channel,
  message: ChannelMessage,
): Promise<Receipt> {
  return receiptOf(await door.offer(offerOf(channel, message, ids.id())));
}

function receiptOf(accepted: Accepted): Receipt {
  const { kind, runId } = accepted;
  if (kind === 'accepted') return { kind, runId };
  const { status, result, error } = accepted.run;
  const text = result?.['text'];
  return {
    kind,
    runId,
    status: status === 'accepted' ? 'in_flight' : status,
    ...(typeof text === 'string' && text !== '' ? { text } : {}),
    ...(error ? { error } : {}),
  };
}

function offerOf(
  { name: channel, legs }: Channel,
  { account, platformId, target, text, trace, ...rest }: ChannelMessage,
  runId: string,
): Offer {
  const sessionKey = rest.sessionKey ?? `agent:main:${channel}:${target}`;
  const agentId = /^agent:([^:]+):/.exec(sessionKey)?.[1] ?? rest.agentId ?? 'main';
  const replies = legs.some(({ name }) => name === 'outbound');
  const options = replies ? { replyTo: { channel, account, target } } : {};
  const where = { sessionKey, agentId, channel, account, platformId };
  return { ...where, runId, source: 'user', text, options, ...(trace ? { trace } : {}) };
}

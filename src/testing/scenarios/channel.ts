import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { channelMachine, examples } from '../../machines/channel.ts';
import type { ChannelContext, ChannelEvent } from '../../machines/channel.ts';
import { abstract } from '../abstract.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

/** Events of the running attempt and of the one before it. */
function events(snapshot: AnyMachineSnapshot): ChannelEvent[] {
  const { attempt } = contextOf<ChannelContext>(snapshot);
  const ofAttempt = (number: number): ChannelEvent[] =>
    examples.map((event) => ('attempt' in event ? { ...event, attempt: number } : event));
  return [...ofAttempt(attempt), ...ofAttempt(attempt - 1).filter((event) => 'attempt' in event)];
}

const leg = (probes: boolean) => ({
  input: {
    path: 'gateway/core/edge/channels/chat/inbound',
    channel: 'chat',
    leg: 'inbound' as const,
    probes,
  },
  events,
  serialize: abstract({ keep: ['failures', 'failedProbes', 'connectedAt', 'probeAt', 'reason'] }),
});

export const machine: AnyStateMachine = channelMachine;
export const scenarios: readonly Scenario[] = [
  scenario(channelMachine, 'a leg that can be probed', leg(true)),
  scenario(channelMachine, 'a leg without a probe', leg(false)),
];

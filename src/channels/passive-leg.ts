import type { ChannelLeg } from './contract.ts';

type Attempt = Parameters<ChannelLeg['start']>[0];

/** A leg that holds nothing in the world: it is up for as long as its newest attempt lives. */
export interface PassiveLeg {
  readonly leg: ChannelLeg;
  /** The one that lives, through which messages are received. Undefined: the leg is down. */
  readonly attempt: Attempt | undefined;
}

export function passiveLeg(name: ChannelLeg['name'], onUp = (): void => {}): PassiveLeg {
  let newest: Attempt | undefined;
  const leg: ChannelLeg = {
    name,
    async start(attempt) {
      if (attempt.signal.aborted) return;
      newest = attempt;
      // The end of an earlier attempt may come late, and closes nothing.
      attempt.signal.addEventListener('abort', () => {
        if (newest === attempt) newest = undefined;
      });
      onUp();
    },
  };
  return {
    leg,
    get attempt() {
      return newest;
    },
  };
}

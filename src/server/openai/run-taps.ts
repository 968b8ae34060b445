/** One subscription to what all runs say, handed out by run: a listener per request would hear every other run too. */
import type { RunSignal } from '../../channels/contract.ts';
import type { GatewayPort } from '../port.ts';
import { guarded, type Fault } from '../throttle.ts';

export interface RunTaps {
  /** Returns a remover. */
  add(runId: string, listener: (signal: RunSignal) => void): () => void;
}

export function createRunTaps(port: Pick<GatewayPort, 'onRunSignal'>, fault: Fault): RunTaps {
  const taps = new Map<string, Set<(signal: RunSignal) => void>>();
  let detach: (() => void) | undefined;
  const hear = (signal: RunSignal): void => {
    for (const listener of taps.get(signal.runId) ?? []) listener(signal);
  };
  return {
    add(runId, listener) {
      const tap = guarded(fault, 'completion', listener);
      const own = taps.get(runId) ?? new Set();
      taps.set(runId, own.add(tap));
      detach ??= port.onRunSignal(hear);
      return () => {
        own.delete(tap);
        if (own.size === 0 && taps.get(runId) === own) taps.delete(runId);
        if (taps.size > 0) return;
        detach?.();
        detach = undefined;
      };
    },
  };
}

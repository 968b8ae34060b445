import { LIMITS } from '../machines/limits.ts';

/** Numbers what a run says: `seq` rises by one per run, whoever of its session and the run itself speaks. */
export interface SignalSeq {
  next(runId: string): number;
  /** After the run's last word. */
  forget(runId: string): void;
}

/** One per gateway, shared by sessions and runs. Bounded: the run that has been silent longest is forgotten first. */
export function createSignalSeq(bound: number = LIMITS.signalCounters): SignalSeq {
  const counters = new Map<string, number>();
  return {
    next(runId) {
      const seq = (counters.get(runId) ?? 0) + 1;
      counters.delete(runId);
      counters.set(runId, seq);
      const [oldest] = counters.size > bound ? counters.keys() : [];
      if (oldest !== undefined) counters.delete(oldest);
      return seq;
    },
    forget: (runId) => void counters.delete(runId),
  };
}

import type { AnyEnvelope, Bus } from '../../bus/index.ts';
import type { Log } from './log.ts';

/** Writes every fact as a log line. Returns the remover. */
export function logFacts(bus: Pick<Bus, 'subscribe'>, log: Pick<Log, 'logger'>): () => void {
  return bus.subscribe({
    name: 'log',
    deliver(envelope) {
      const { severity, ts, ...fields } = envelope;
      // Most facts are below the level most of the time: nothing is built for them.
      if (!log.logger.isLevelEnabled(severity)) return;
      log.logger[severity](
        { ...fields, ...(Object.keys(envelope.data).length === 0 ? { data: undefined } : {}), ts },
        message(envelope),
      );
    },
  });
}

/** The type, and what an error in the fact says: enough to read a log by. */
function message(envelope: AnyEnvelope): string {
  const { error } = envelope.data as { error?: unknown };
  if (typeof error === 'string') return `${envelope.type}: ${error}`;
  const text =
    typeof error === 'object' && error !== null ? (error as { message?: unknown }).message : undefined;
  return typeof text === 'string' ? `${envelope.type}: ${text}` : envelope.type;
}

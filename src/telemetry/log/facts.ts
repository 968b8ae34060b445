import { SEVERITIES, type AnyEnvelope, type Bus } from '../../bus/index.ts';
import type { Log } from './log.ts';

/** Writes every fact that the level of the log lets through as a line of it. Returns the remover. */
export function logFacts(bus: Pick<Bus, 'subscribe'>, log: Pick<Log, 'logger'>): () => void {
  const severity = SEVERITIES.find((one) => log.logger.isLevelEnabled(one));
  if (!severity) return () => {};
  return bus.subscribe({
    name: 'log',
    severity,
    deliver(envelope) {
      const { severity: level, ts, ...fields } = envelope;
      log.logger[level](
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

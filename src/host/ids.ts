import { randomBytes } from 'node:crypto';
import { nanoid } from 'nanoid';
import type { Trace } from '../bus/trace.ts';

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
/** Both ids in one: asking for chance costs more than the chance. */
const trace = (): Trace => {
  const both = hex(24);
  return { traceId: both.slice(0, 32), spanId: both.slice(32) };
};

/** Fresh ids: nanoid for ours, W3C trace context for traces. */
export const createIds = () => ({
  id: (): string => nanoid(),
  trace,
  child: (trace: Trace): Trace => ({ traceId: trace.traceId, spanId: hex(8), parentSpanId: trace.spanId }),
});

import { randomBytes } from 'node:crypto';
import { nanoid } from 'nanoid';
import type { Trace } from '../bus/trace.ts';

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

/** Fresh ids: nanoid for ours, W3C trace context for traces. */
export const createIds = () => ({
  id: (): string => nanoid(),
  trace: (): Trace => ({ traceId: hex(16), spanId: hex(8) }),
  child: (trace: Trace): Trace => ({ traceId: trace.traceId, spanId: hex(8), parentSpanId: trace.spanId }),
});

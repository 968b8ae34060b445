import { expect, test } from 'vitest';
import { childTrace, formatTraceparent, isTrace, parseTraceparent } from '../../src/bus/index.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

test('a traceparent survives reading and writing', () => {
  const trace = parseTraceparent(`00-${traceId}-${spanId}-01`);
  expect(trace).toEqual({ traceId, spanId, sampled: true });
  expect(formatTraceparent(trace!)).toBe(`00-${traceId}-${spanId}-01`);
  expect(formatTraceparent(trace!, false)).toBe(`00-${traceId}-${spanId}-00`);
});

test.each([
  ['nothing', undefined],
  ['rubbish', 'hello'],
  ['upper case', `00-${traceId.toUpperCase()}-${spanId}-01`],
  ['a zero trace', `00-${'0'.repeat(32)}-${spanId}-01`],
  ['a zero span', `00-${traceId}-${'0'.repeat(16)}-01`],
  ['the forbidden version', `ff-${traceId}-${spanId}-01`],
  ['a fifth part in version 00', `00-${traceId}-${spanId}-01-more`],
  ['a short id', `00-${traceId.slice(1)}-${spanId}-01`],
])('%s is no traceparent', (_name, header) => {
  expect(parseTraceparent(header)).toBeUndefined();
});

test('a later version may carry more than we know', () => {
  expect(parseTraceparent(`01-${traceId}-${spanId}-00-more`)).toEqual({ traceId, spanId, sampled: false });
});

test('a child keeps the trace and names its parent', () => {
  expect(childTrace({ traceId, spanId }, 'b7ad6b7169203331')).toEqual({
    traceId,
    spanId: 'b7ad6b7169203331',
    parentSpanId: spanId,
  });
});

test('only objects with both ids are traces', () => {
  expect(isTrace({ traceId, spanId })).toBe(true);
  for (const value of [null, 'x', {}, { traceId }, { traceId: 1, spanId }])
    expect(isTrace(value)).toBe(false);
});

import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { beginLoop, stepLoop, stepQuietly, type ToolLoopEvent } from '../../src/machines/tool-loop.ts';

const answers = fc.record({
  type: fc.constant('call.answered' as const),
  toolName: fc.constant('look'),
  call: fc.constantFrom('look:1', 'look:2', 'find:1'),
  result: fc.constantFrom('a', 'a', 'a', 'b'),
  poll: fc.constant(false),
  atMs: fc.constant(1),
});
const others: fc.Arbitrary<ToolLoopEvent> = fc.constantFrom(
  { type: 'loop.cooled', atMs: 1 },
  { type: 'call.asked', call: 'look:1', atMs: 1 },
  { type: 'loop.reset' },
);

it('the short way through a long conversation ends where the machine does, after every step', () => {
  const policy = {
    warningThreshold: 2,
    criticalThreshold: 5,
    globalCircuitBreakerThreshold: 8,
    historySize: 6,
  };
  let short = 0;
  const events = fc.oneof({ weight: 20, arbitrary: answers }, { weight: 1, arbitrary: others });
  fc.assert(
    fc.property(fc.array(events, { maxLength: 60 }), (said) => {
      let loop = beginLoop({ policy });
      for (const event of said) {
        const next = stepLoop(loop, event);
        const quiet = event.type === 'call.answered' ? stepQuietly(loop, event) : undefined;
        if (quiet) {
          short += 1;
          expect(quiet).toEqual(next);
        }
        loop = next;
      }
    }),
    { numRuns: 500 },
  );
  // It is a way that is taken, and not by all.
  expect(short).toBeGreaterThan(200);
});

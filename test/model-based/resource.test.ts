import { createActor, type EventObject } from 'xstate';
import { expect, it } from 'vitest';
import { callbackEffect } from '../../src/host/index.ts';
import { examples, resourceMachine, withEffects, type ResourceInput } from '../../src/machines/resource.ts';
import { explore } from '../../src/testing/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

const input = { path: 'top/thing', incarnation: 1, openMs: 1_000 };

it('every transition of the resource machine is reachable, and it says how it ended', () => {
  const report = explore(resourceMachine, {
    input,
    events: Object.values(examples).flat(),
    ignorable: ['open resource.opened'],
    invariant: (after) =>
      after.status === 'done' && !(after.output as { exit?: string }).exit
        ? 'a final state without an exit reason'
        : undefined,
  });
  expect(report.transitions.missed, String(report)).toEqual([]);
  expect(report.unhandled, String(report)).toEqual([]);
  expect(report.violations, String(report)).toEqual([]);
});

it('a resource that does not open in time ends with an error that names it', () => {
  const clock = createSimulatedClock();
  const actor = createActor(withEffects({ keep: callbackEffect<EventObject, ResourceInput>(() => {}) }), {
    input,
    clock,
  }).start();
  clock.advance(1_000);
  expect(actor.getSnapshot().output).toMatchObject({ exit: 'error', error: { code: 'START_FAILED' } });
});

it('a resource that is lost later ends with its error', () => {
  let fail: (error: unknown) => void = () => {};
  const keep = callbackEffect<EventObject, ResourceInput>(({ send, fail: f }) => {
    fail = f;
    send({ type: 'resource.opened' });
  });
  const actor = createActor(withEffects({ keep }), { input }).start();
  expect(actor.getSnapshot().value).toBe('open');
  fail(new Error('cable cut'));
  expect(actor.getSnapshot().output).toMatchObject({ exit: 'error', error: { message: 'cable cut' } });
});

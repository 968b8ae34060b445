import { describe, expect, it } from 'vitest';
import { assign, createMachine, setup } from 'xstate';
import { abstract, isComplete, prove } from '../../src/testing/index.ts';
import { fetchRetry } from './strangers.ts';

/** A till. Planted: a refund after a discount pays out more than was paid in. */
const till = (isRight: boolean) =>
  setup({
    types: {
      context: {} as { cash: number; discount: boolean; open: boolean },
      events: {} as { type: 'SELL' | 'DISCOUNT' | 'REFUND' | 'LOOK' | 'CLEAN' },
    },
  }).createMachine({
    id: 'till',
    context: { cash: 0, discount: false, open: true },
    initial: 'idle',
    states: {
      idle: {
        on: {
          SELL: {
            target: 'sold',
            actions: assign({ cash: ({ context }) => context.cash + (context.discount ? 1 : 2) }),
          },
          DISCOUNT: { actions: assign({ discount: true }) },
          LOOK: {},
        },
      },
      sold: {
        on: {
          REFUND: {
            target: 'idle',
            actions: assign({
              cash: ({ context }) => context.cash - (context.discount && isRight ? 1 : 2),
              discount: false,
            }),
          },
          CLEAN: 'idle',
          LOOK: {},
        },
      },
    },
  });
const invariant = ({ snapshot }: { snapshot: { context: { cash: number } } }) =>
  snapshot.context.cash < 0 ? `there are ${snapshot.context.cash} in the till` : undefined;
const serialize = abstract({ cap: { cash: 3 } });

describe('a proof', () => {
  it('of a sound machine says so, with what was covered live', () => {
    const proof = prove(till(true), { invariant, serialize });
    expect(proof.ok, String(proof)).toBe(true);
    expect(proof.coverage).toSatisfy(isComplete);
    expect(String(proof)).toContain('till: 1 path, all as expected');
  });

  it.each(['edges', 'pairs', 'random', 'shortest'] as const)(
    '%s: finds a broken invariant and shrinks it to the shortest path there is',
    (strategy) => {
      const proof = prove(till(false), { invariant, serialize, strategy, walks: 50 });
      expect(proof.ok).toBe(false);
      expect(String(proof.failures[0])).toBe(
        [
          'start: idle',
          '1. send DISCOUNT  >  idle',
          '2. send SELL  >  sold',
          '3. send REFUND  >  idle',
          '  - there are -1 in the till',
        ].join('\n'),
      );
    },
  );

  it('of a rewrite against the original finds where it departs, shortest path first', () => {
    const proof = prove(till(true), { subject: till(false), serialize, strategy: 'random', walks: 30 });
    expect(proof.failures).toHaveLength(1);
    expect(proof.failures[0]!.shrunk.steps.map(({ event }) => event.type)).toEqual([
      'DISCOUNT',
      'SELL',
      'REFUND',
    ]);
    expect(proof.failures[0]!.reasons).toEqual([
      'context: expected {"cash":0,"discount":false}, got {"cash":-1,"discount":false}',
    ]);
  });

  it('shrinks across timers and failing actors, keeping only what the failure needs', () => {
    const { states } = fetchRetry.config;
    const patient = createMachine({
      ...fetchRetry.config,
      states: {
        ...states,
        failure: {
          ...states!['failure'],
          after: {
            1_000: {
              target: 'loading',
              guard: ({ context }: { context: { retries: number } }) => context.retries < 3,
              actions: assign({ retries: ({ context }) => (context as { retries: number }).retries + 1 }),
            },
          },
        },
      },
    } as never);
    const proof = prove(fetchRetry, { subject: patient as never, strategy: 'random', walks: 40, seed: 3 });
    const [failure] = proof.failures;
    expect(failure!.path.steps.length).toBeGreaterThan(8);
    expect(failure!.shrunk.steps.map(({ kind }) => kind).join(' ')).toBe(
      'send error after error after error after',
    );
    expect(failure!.reasons[0]).toBe('value: expected "failure", got "loading"');
  });

  it('stops at as many failures as asked for, and tells each only once', () => {
    const broken = { invariant: () => 'never right', serialize };
    expect(prove(till(true), { ...broken, maxFailures: 2 }).failures).toHaveLength(2);
    const all = prove(till(true), { ...broken, maxFailures: 99 }).failures.map(String);
    expect(new Set(all).size).toBe(all.length);
  });
});

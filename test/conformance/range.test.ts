import { readFileSync } from 'node:fs';
import { assign, createActor, createMachine } from 'xstate';
import { describe, expect, it } from 'vitest';

/** `xstate`, or the name by which the oldest version that we support is installed beside it. */
const asked = process.env['COPPICE_XSTATE'] ?? 'xstate';
const text = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

describe(`the supported range of XState, seen from ${asked}`, () => {
  it('is tested with the copy that this run asks for, and the docs name the oldest one', async () => {
    const copy = (await import(/* @vite-ignore */ asked)) as { createActor: unknown };
    expect(copy.createActor).toBe(createActor);
    const { version } = JSON.parse(text(`node_modules/${asked}/package.json`)) as { version: string };
    if (asked === 'xstate') expect(version).toBe(JSON.parse(text('package.json')).devDependencies.xstate);
    else expect(text('docs/supervision.md')).toContain(`XState ${version} or a newer 5`);
  });

  it('begins where a loop of `always` can be bounded: every machine of ours relies on it', () => {
    const machine = createMachine({
      options: { maxIterations: 10 },
      context: { turns: 0 },
      initial: 'turning',
      states: {
        turning: {
          always: {
            guard: ({ context }) => context.turns < 1_000,
            actions: assign({ turns: ({ context }) => context.turns + 1 }),
            target: 'turning',
            reenter: true,
          },
        },
      },
    });
    const actor = createActor(machine);
    actor.subscribe({ error: () => undefined });
    actor.start();
    expect(actor.getSnapshot().status).toBe('error');
  });
});

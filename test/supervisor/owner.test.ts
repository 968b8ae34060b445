import { setTimeout as after } from 'node:timers/promises';
import { setup } from 'xstate';
import { expect, it } from 'vitest';
import { callbackEffect, currentOwner, promiseEffect, runOwned } from '../../src/host/index.ts';
import { createLab } from './lab.ts';

it('work that went astray names the node of the tree it was done for: a child, a run inside it, an effect of that', async () => {
  const lab = createLab({ within: runOwned });
  const seen: Record<string, string> = {};
  const note = (where: string): void => {
    const owner = currentOwner();
    seen[where] = `${owner?.actorId} of ${owner?.path}`;
  };
  const attempt = promiseEffect<string>(async () => {
    await after(1);
    note('effect');
    return 'done';
  });
  const run = lab.supervision.nested(
    setup({
      actors: { attempt },
      actions: { note: () => void setTimeout(() => note('run'), 1) },
    }).createMachine({
      entry: 'note',
      invoke: { src: 'attempt', id: 'attempt', onDone: {}, onError: {} },
    }),
    () => ({ path: 'top/a/run', incarnation: 1 }),
  );
  const child = setup({
    actors: { run },
    actions: { note: () => void Promise.resolve().then(() => note('child')) },
  }).createMachine({
    on: { go: { actions: 'note' } },
    invoke: { src: 'run', id: 'run', onDone: {}, onError: {} },
  });
  const alone = callbackEffect(() => void setTimeout(() => note('supervised effect'), 1));
  lab.start({
    children: [
      { id: 'a', logic: child },
      { id: 'b', logic: alone },
    ],
  });
  lab.tell('a', 'go');
  await expect.poll(() => Object.keys(seen).length).toBe(4);
  expect(seen).toEqual({
    child: 'a#1 of top/a',
    run: 'run of top/a/run',
    effect: 'attempt of top/a/run',
    'supervised effect': 'b#1 of top/b',
  });
});

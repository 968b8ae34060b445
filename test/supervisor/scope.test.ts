import { describe, expect, it } from 'vitest';
import type { ChildSpec } from '../../src/supervisor/index.ts';
import { createStage } from '../conformance/puppets.ts';

/** What a life opens, and how many of these each life met open when it began. */
function opener(stage: ReturnType<typeof createStage>) {
  let open = 0;
  const met: number[] = [];
  const slowly = (): Promise<void> =>
    new Promise((resolve) =>
      stage.clock.setTimeout(() => {
        open -= 1;
        resolve();
      }, 50),
    );
  const input =
    (
      dispose: (
        slowly: () => Promise<void>,
        start: Parameters<NonNullable<ChildSpec['input']>>[0],
      ) => unknown,
    ) =>
    (start: Parameters<NonNullable<ChildSpec['input']>>[0]): void => {
      met.push(open);
      open += 1;
      start.scope.add(() => dispose(slowly, start) as void);
    };
  return { met, input };
}

describe('the next life does not begin before everything of the one before is closed', () => {
  it('where a disposer adds another, which takes a while', async () => {
    const stage = createStage();
    const { met, input } = opener(stage);
    stage.start({
      children: [stage.child('a', { input: input((slowly, { scope }) => void scope.add(slowly)) })],
    });
    stage.end('a', 'die');
    await stage.clock.advanceAsync(200);
    expect(met).toEqual([0, 0]);
  });

  it('where a slow disposer adds another at its end', async () => {
    const stage = createStage();
    const { met, input } = opener(stage);
    const late = input(async (slowly, { scope }) => {
      await new Promise<void>((resolve) => stage.clock.setTimeout(resolve, 20));
      scope.add(slowly);
    });
    stage.start({ children: [stage.child('a', { input: late })] });
    stage.end('a', 'die');
    await stage.clock.advanceAsync(200);
    expect(met).toEqual([0, 0]);
  });

  it('where a disposer answers with what is awaited but is no promise of ours', async () => {
    const stage = createStage();
    const { met, input } = opener(stage);
    const foreign = input((slowly) => {
      const promise = slowly();
      // oxlint-disable-next-line unicorn/no-thenable
      return { then: (resolve: () => void) => void promise.then(resolve) };
    });
    stage.start({ children: [stage.child('a', { input: foreign })] });
    stage.end('a', 'die');
    await stage.clock.advanceAsync(200);
    expect(met).toEqual([0, 0]);
  });

  it('a disposer that is added when its life is long over runs at once, and what it throws is told', async () => {
    const stage = createStage();
    const scopes: Parameters<NonNullable<ChildSpec['input']>>[0]['scope'][] = [];
    stage.start({ children: [stage.child('a', { input: ({ scope }) => void scopes.push(scope) })] });
    stage.end('a', 'die');
    await stage.clock.advanceAsync(1);
    for (const fails of [
      () => Promise.reject(new Error('late')),
      () => {
        throw new Error('late');
      },
    ])
      scopes[0]!.add(fails);
    await stage.clock.advanceAsync(1);
    expect(stage.reportTypes().filter((type) => type === 'disposer_failed')).toHaveLength(2);
    expect(stage.incarnation('a')).toBe(2);
  });
});

describe('who watches a path twice with one object', () => {
  it('is told twice, and once when one of the two is over', () => {
    const stage = createStage();
    stage.start({ children: [stage.child('a')] });
    const heard: string[] = [];
    const watcher = {
      up: (life: number) => heard.push(`up ${life}`),
      down: (life: number) => heard.push(`down ${life}`),
    };
    const over = stage.registry.watch('top/a', watcher);
    stage.registry.watch('top/a', watcher);
    stage.clock.advance(1);
    over();
    over();
    stage.end('a', 'die');
    stage.clock.advance(1);
    expect(heard).toEqual(['up 1', 'up 1', 'down 1', 'up 2']);
  });

  it('a path that never was is told of at once, as noproc', () => {
    const stage = createStage();
    stage.start({ children: [] });
    const heard: string[] = [];
    stage.registry.watch('top/nobody', { down: (life, reason) => heard.push(`${life} ${reason}`) });
    stage.clock.advance(0);
    expect(heard).toEqual(['0 noproc']);
  });
});

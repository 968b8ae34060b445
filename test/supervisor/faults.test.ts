import { sendTo, setup, type AnyActorLogic } from 'xstate';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Report } from '../../src/supervisor/index.ts';
import { bomb, createResources, fallsAtStart, KINDS, speaker, type Kind, type Trap } from './bombs.ts';
import { createLab } from './lab.ts';

const DEPTHS = ['child', 'grandchild', 'invoked machine of a child'] as const;
type Depth = (typeof DEPTHS)[number];
type Tells = 'child_terminated' | 'start_error' | 'disposer_failed';

/**
 * What the owner reports for each failure. A child that fails while it is left behind is a failed disposer of a child
 * that goes on; one level deeper the machine that left it is not contained, and fails as XState has it.
 */
function told(kind: Kind, depth: Depth): Tells {
  if (fallsAtStart(kind)) return 'start_error';
  const goesOn = kind === 'callback in its cleanup' && depth !== 'invoked machine of a child';
  return goesOn ? 'disposer_failed' : 'child_terminated';
}

const OWNER: Record<Depth, { over: string; path: string }> = {
  child: { over: 'top', path: 'top/a' },
  grandchild: { over: 'top/inner', path: 'top/inner/a' },
  'invoked machine of a child': { over: 'top', path: 'top/a' },
};

function stage(depth: Depth, makeLogic: (trap: Trap) => AnyActorLogic) {
  const lab = createLab();
  const trap: Trap = { clock: lab.clock, resources: createResources(), failingStarts: 0 };
  const logic = makeLogic(trap);
  const a = { id: 'a', logic: depth === 'invoked machine of a child' ? host(logic, trap) : logic };
  const limits = { strategy: 'one_for_one', intensity: 100, periodMs: 1_000 } as const;
  const inner = lab.supervision.supervisor({ ...limits, children: [a, lab.child('sibling')] });
  const children = depth === 'grandchild' ? [{ id: 'inner', logic: inner }] : [a, lab.child('sibling')];
  const { root, errors } = lab.start({ ...limits, children });
  return { ...lab, trap, root, errors, ...OWNER[depth] };
}

/** Has no `onError`: what it invokes takes it along. */
const host = (logic: AnyActorLogic, { resources }: Trap): AnyActorLogic =>
  setup({ actors: { inside: logic, resource: resources.logic('host') } }).createMachine({
    invoke: [{ src: 'resource' }, { src: 'inside', id: 'inside' }],
    initial: 'up',
    states: { up: { on: { go: { actions: sendTo('inside', { type: 'go' }) } } }, down: { type: 'final' } },
    on: { 'supervisor.shutdown': '.down' },
  }) as AnyActorLogic;

const faultsOf = (reports: readonly Report[]) =>
  reports.flatMap(({ path, childPath, childIncarnation, body }) =>
    'error' in body && body.error && /boom/.test(body.error.message)
      ? [{ owner: path, childPath, childIncarnation, type: body.type, error: body.error }]
      : [],
  );

async function crash(scene: ReturnType<typeof stage>, kind: Kind, times: number): Promise<void> {
  const { trap, supervision, registry, clock, path } = scene;
  if (fallsAtStart(kind)) {
    trap.failingStarts = times;
    supervision.kill(path, { by: 'test' });
    await clock.advanceAsync(1);
    return;
  }
  for (let n = 0; n < times; n += 1) {
    registry.tell(path, { type: 'go' });
    await clock.advanceAsync(20);
  }
}

const pid = process.pid;
// XState's development build also says on the console that the dead hear nothing.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe('ten crashes: ten typed faults at the one owner, one live set of resources, siblings untouched', () => {
  for (const depth of DEPTHS) {
    describe(`of a ${depth}`, () => {
      for (const kind of KINDS) {
        it(`${kind} > ${told(kind, depth)}`, async () => {
          const scene = stage(depth, (trap) => bomb(kind, trap));
          const { trap, reports, registry, over, path } = scene;
          const label = depth === 'invoked machine of a child' ? { host: 1 } : {};
          expect(trap.resources.held()).toEqual({ ...label, bomb: 1, inner: 1 });
          await crash(scene, kind, 10);

          const faults = faultsOf(reports);
          expect(faults.map((fault) => fault.type)).toEqual(
            Array.from({ length: 10 }, () => told(kind, depth)),
          );
          for (const fault of faults) {
            expect(fault).toMatchObject({ owner: over, childPath: path, error: { name: 'Error' } });
            expect(fault.error.stack).toEqual(expect.any(String));
          }
          const goesOn = told(kind, depth) === 'disposer_failed';
          const first = fallsAtStart(kind) ? 2 : 1;
          expect(faults.map((fault) => fault.childIncarnation)).toEqual(
            Array.from({ length: 10 }, (_, n) => (goesOn ? 1 : first + n)),
          );
          expect(registry.incarnation(path)).toBe(goesOn ? 1 : 10 + first);
          expect(trap.resources.held()).toEqual({ ...label, bomb: 1, inner: 1 });
          expect(await trap.resources.beating()).toEqual({ ...label, bomb: 1, inner: 1 });
          expect(registry.incarnation(`${over}/sibling`)).toBe(1);
          expect(scene.resources()).toBe(1);
          expect(scene.errors).toEqual([]);
          expect(process.pid).toBe(pid);
          scene.root.send({ type: 'supervisor.shutdown', reason: 'over', deadlineMs: 1_000 });
          await scene.clock.advanceAsync(5_000);
          expect(Object.values(trap.resources.held())).toEqual(
            Object.keys(trap.resources.held()).map(() => 0),
          );
        });
      }

      it('a listener of what it emits > nobody fails, the throw reaches the process once', async () => {
        const escaped: unknown[] = [];
        const others = process.listeners('uncaughtException');
        process.removeAllListeners('uncaughtException');
        process.on('uncaughtException', (error) => void escaped.push(error));
        try {
          const scene = stage(depth, ({ resources }) => speaker(resources));
          const { trap, registry, over, path } = scene;
          let heard = 0;
          const listen = (ref: { on(type: '*', call: () => void): unknown }): void => {
            ref.on('*', () => {
              throw new Error('boom');
            });
            ref.on('*', () => void (heard += 1));
          };
          listen(speakerAt(scene, depth) as never);
          await crash(scene, 'action', 10);
          await new Promise((resolve) => setTimeout(resolve, 20));
          expect(heard).toBe(10);
          expect(escaped).toHaveLength(10);
          expect(faultsOf(scene.reports)).toEqual([]);
          expect(registry.incarnation(path)).toBe(1);
          expect(registry.incarnation(`${over}/sibling`)).toBe(1);
          expect((await trap.resources.beating())['bomb']).toBe(1);
        } finally {
          process.removeAllListeners('uncaughtException');
          for (const other of others) process.on('uncaughtException', other);
        }
      });
    });
  }
});

/** The actor itself: a listener of emitted events is the one thing that needs it. */
function speakerAt({ root, registry, path }: ReturnType<typeof stage>, depth: Depth): unknown {
  if (depth === 'invoked machine of a child')
    return (registry.peek(path) as { children: Record<string, unknown> }).children['inside'];
  let found: unknown;
  const inspection = root.system.inspect((event) => {
    if (event.type === '@xstate.event' && event.event.type === 'who') found = event.actorRef;
  });
  registry.tell(path, { type: 'who' });
  inspection.unsubscribe();
  return found;
}

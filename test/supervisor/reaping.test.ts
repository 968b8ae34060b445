import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import {
  createActor,
  fromCallback,
  fromPromise,
  sendTo,
  setup,
  spawnChild,
  type AnyActorLogic,
} from 'xstate';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { contain, type ChildSpec } from '../../src/supervisor/index.ts';
import { bomb, createResources, fallsAtStart, KINDS, type Kind, type Resources, type Trap } from './bombs.ts';
import { createLab } from './lab.ts';

// XState's development build also says on the console that the dead hear nothing.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const ways = ['invoked by name', 'invoked inline', 'spawned'] as const;
type Way = (typeof ways)[number];

/** A machine with a resource that starts `inside` in its own way, passes `go` on, and starts it anew if `heals`. */
function level(
  label: string,
  resources: Resources,
  inside: AnyActorLogic,
  way: Way,
  heals: boolean,
): AnyActorLogic {
  const again = { target: '.up', reenter: true };
  const spawned = way === 'spawned';
  return setup({ actors: { inside, resource: resources.logic(label) } }).createMachine({
    invoke: { src: 'resource' },
    initial: 'up',
    on: {
      go: { actions: sendTo('inside', { type: 'go' }) },
      renew: again,
      ...(heals ? { 'xstate.error.actor.inside': again } : {}),
      'supervisor.shutdown': '.down',
    },
    states: {
      up: spawned
        ? { entry: spawnChild('inside', { id: 'inside' }) }
        : { invoke: { src: way === 'invoked inline' ? inside : 'inside', id: 'inside' } },
      down: { type: 'final' },
    },
  } as never) as AnyActorLogic;
}

function stage(makeLogic: (trap: Trap) => AnyActorLogic, more: Partial<ChildSpec> = {}) {
  const lab = createLab();
  const trap: Trap = { clock: lab.clock, resources: createResources(), failingStarts: 0 };
  lab.start({ intensity: 1_000, children: [{ id: 'a', logic: makeLogic(trap), ...more }, lab.child('b')] });
  return { ...lab, trap, resources: trap.resources };
}

async function crash(scene: ReturnType<typeof stage>, kind: Kind, heals: boolean): Promise<void> {
  if (fallsAtStart(kind)) {
    scene.trap.failingStarts = 10;
    if (heals) scene.tell('a', 'renew');
    else scene.supervision.kill('top/a', { by: 'test' });
  }
  for (let n = 0; n < (fallsAtStart(kind) ? 1 : 10); n += 1) {
    if (!fallsAtStart(kind)) scene.tell('a', 'go');
    await scene.clock.advanceAsync(20);
  }
}

const set = (...labels: string[]) => Object.fromEntries(labels.map((label) => [label, 1]));

describe('ten crashes leave exactly one live set, with every ancestor going down', () => {
  for (const kind of KINDS) {
    it(`${kind}, at depths 1, 2 and 3`, async () => {
      for (const [depth, way] of [
        [1, 'invoked by name'],
        [2, 'invoked inline'],
        [2, 'spawned'],
        [3, 'invoked by name'],
      ] as const) {
        const scene = stage((trap) => {
          let logic = bomb(kind, trap);
          for (let n = depth - 1; n >= 1; n -= 1)
            logic = level(`level ${n}`, trap.resources, logic, way, false);
          return logic;
        });
        await crash(scene, kind, false);
        const levels = Array.from({ length: depth - 1 }, (_, n) => `level ${n + 1}`);
        const expected = set('bomb', 'inner', ...levels);
        expect(scene.resources.held(), `depth ${depth}, ${way}`).toEqual(expected);
        expect(await scene.resources.beating(), `depth ${depth}, ${way}`).toEqual(expected);
        expect(scene.incarnation('b')).toBe(1);
        // The late cleanup of an immediate child is all that a machine survives.
        const survives = kind === 'callback in its cleanup' && depth === 1;
        expect(scene.incarnation('a')).toBe(survives ? 1 : fallsAtStart(kind) ? 12 : 11);
      }
    });
  }
});

describe('ten crashes leave exactly one live set, with a parent that handles each', () => {
  for (const kind of KINDS) {
    it(`${kind}, at depths 2 and 3: the supervisor never notices`, async () => {
      for (const [depth, way] of [
        [2, 'invoked by name'],
        [2, 'invoked inline'],
        [3, 'invoked by name'],
        [3, 'invoked inline'],
      ] as const) {
        const scene = stage((trap) => {
          const logic = level(`level ${depth - 1}`, trap.resources, bomb(kind, trap), way, true);
          return depth === 2 ? logic : passing(trap.resources, logic, way);
        });
        await crash(scene, kind, true);
        const levels = Array.from({ length: depth - 1 }, (_, n) => `level ${n + 1}`);
        const expected = set('bomb', 'inner', ...levels);
        expect(scene.resources.held(), `depth ${depth}, ${way}`).toEqual(expected);
        expect(await scene.resources.beating(), `depth ${depth}, ${way}`).toEqual(expected);
        expect(scene.incarnation('a')).toBe(1);
        expect(scene.reportTypes()).not.toContain('child_terminated');
      }
    });
  }
});

/** Depth 3: what it passes on reaches the level that heals. */
const passing = (resources: Resources, inside: AnyActorLogic, way: Way): AnyActorLogic =>
  setup({ actors: { inside, resource: resources.logic('level 1') } }).createMachine({
    invoke: [{ src: 'resource' }, { src: way === 'invoked inline' ? inside : 'inside', id: 'inside' }],
    on: {
      go: { actions: sendTo('inside', { type: 'go' }) },
      renew: { actions: sendTo('inside', { type: 'renew' }) },
    },
  } as never) as AnyActorLogic;

describe('sockets of a machine in a machine', () => {
  let server: Server;
  beforeEach(async () => {
    server = createServer((socket) => socket.on('error', () => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  const connections = () =>
    new Promise<number>((resolve, reject) => {
      server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });

  it('after ten crashes at every depth the far side counts exactly one', async () => {
    const { port } = server.address() as AddressInfo;
    const socket = fromCallback(() => {
      const open = connect(port, '127.0.0.1').on('error', () => open.destroy());
      return () => void open.destroy();
    });
    for (const depth of [1, 2, 3]) {
      const scene = stage((trap) => {
        let logic: AnyActorLogic = setup({
          actors: { socket },
          actions: {
            boom: () => {
              throw new Error('boom');
            },
          },
        }).createMachine({ invoke: { src: 'socket' }, on: { go: { actions: 'boom' } } });
        for (let n = 1; n < depth; n += 1)
          logic = level(`level ${n}`, trap.resources, logic, 'invoked by name', true);
        return logic;
      });
      for (let n = 0; n < 10; n += 1) {
        scene.tell('a', 'go');
        await scene.clock.advanceAsync(1);
      }
      await expect.poll(connections, { interval: 5 }).toBe(1);
      void scene.supervision.admin('top', { type: 'terminate_child', id: 'a' });
      await scene.clock.advanceAsync(10_000);
      await expect.poll(connections, { interval: 5 }).toBe(0);
    }
  });
});

describe('a node inside a machine', () => {
  it('whose initial entry fails is gone from the tree, with all it had started', async () => {
    const lab = createLab();
    const resources = createResources();
    const trap: Trap = { clock: lab.clock, resources, failingStarts: 0 };
    const inner = lab.supervision.nested(bomb('initial entry', trap), () => ({
      path: 'top/a/run',
      incarnation: 1,
    }));
    const seen: string[] = [];
    lab.registry.watch('top/a/run', {
      up: () => seen.push('up'),
      down: (_, reason) => seen.push(`down ${reason}`),
    });
    lab.start({ children: [{ id: 'a', logic: healing(inner) }] });
    trap.failingStarts = 10;
    lab.tell('a', 'renew');
    lab.clock.advance(1);
    expect(lab.registry.node('top/a/run')).toBeUndefined();
    expect(lab.incarnation('a')).toBe(1);
    expect(resources.held()).toEqual({ bomb: 0, inner: 0 });
    for (let n = 0; n < 10; n += 1) lab.tell('a', 'renew');
    lab.clock.advance(1);
    expect(lab.registry.node('top/a/run')).toMatchObject({ status: 'running' });
    expect(resources.held()).toEqual({ bomb: 1, inner: 1 });
    expect(seen.slice(0, 4)).toEqual(['down noproc', 'up', 'down stopped', 'up']);
    expect(seen.filter((word) => word === 'down error')).toHaveLength(10);
  });

  const healing = (inner: AnyActorLogic): AnyActorLogic =>
    setup({ actors: { inner } }).createMachine({
      initial: 'up',
      on: { renew: { target: '.up', reenter: true } },
      states: { up: { invoke: { src: 'inner', id: 'inner', onError: 'down' } }, down: {} },
    }) as AnyActorLogic;
});

describe('what the dead throw', () => {
  const sore = (message: string) =>
    fromCallback(() => () => {
      throw new Error(message);
    });
  const disposers = (scene: ReturnType<typeof stage>) =>
    scene.reports.flatMap(({ path, childPath, childIncarnation, body }) =>
      body.type === 'disposer_failed'
        ? [`${path} ${childPath}#${childIncarnation} ${body.error.message}`]
        : [],
    );

  /** Starts `sore` anew when told `again`; takes an error of it for that of the one it has. */
  const renewing = (more: object = {}): AnyActorLogic =>
    setup({ actors: { sore: sore('late') } }).createMachine({
      initial: 'up',
      on: { again: { target: '.up', reenter: true }, leave: '.left', ...more },
      states: {
        up: { invoke: { src: 'sore', id: 'sore', onError: 'blamed' } },
        blamed: {},
        left: {},
        heard: {},
      },
    } as never) as AnyActorLogic;

  it('is not charged to the next holder of its id, and is reported once', () => {
    const scene = stage(() => renewing());
    scene.tell('a', 'again');
    expect(scene.registry.node('top/a')).toMatchObject({ state: 'up', incarnation: 1 });
    expect(disposers(scene)).toEqual(['top top/a#1 late']);
  });

  it('does not take a machine along that has left the state with its onError', () => {
    const scene = stage(() => renewing());
    scene.tell('a', 'leave');
    expect(scene.registry.node('top/a')).toMatchObject({ state: 'left', incarnation: 1 });
    expect(disposers(scene)).toEqual(['top top/a#1 late']);
  });

  it('is heard by a machine that has a word for it', () => {
    const scene = stage(() => renewing({ 'xstate.error.actor.sore': '.heard' }));
    scene.tell('a', 'leave');
    expect(scene.registry.node('top/a')).toMatchObject({ state: 'heard' });
    expect(disposers(scene)).toEqual([]);
  });

  it('an honest failure of the one it has is its own', async () => {
    const failing = setup({
      actors: { fails: fromPromise(() => Promise.reject(new Error('honest'))) },
    }).createMachine({
      initial: 'up',
      states: { up: { invoke: { src: 'fails', onError: 'blamed' } }, blamed: {} },
    });
    const scene = stage(() => failing as AnyActorLogic);
    await scene.clock.settle();
    expect(scene.registry.node('top/a')).toMatchObject({ state: 'blamed' });
    expect(disposers(scene)).toEqual([]);
  });

  const owner = (depth: number): AnyActorLogic => {
    const late = sore('late');
    const machine = setup({ actors: { late } }).createMachine({ invoke: { src: 'late' } });
    return setup({
      actors: { inside: depth === 1 ? late : (machine as never) },
      actions: {
        boom: () => {
          throw new Error('boom');
        },
      },
    }).createMachine({
      invoke: { src: 'inside' },
      initial: 'up',
      states: { up: { on: { finish: 'over' } }, over: { type: 'final' } },
      on: { crash: { actions: 'boom' }, 'supervisor.shutdown': '.over' },
    }) as AnyActorLogic;
  };

  for (const [end, how] of [
    ['crashes', (scene) => void scene.tell('a', 'crash')],
    ['is killed', (scene) => void scene.supervision.kill('top/a', { by: 'test' })],
    ['ends by itself', (scene) => void scene.tell('a', 'finish')],
    ['is told to stop', (scene) => void scene.supervision.admin('top', { type: 'terminate_child', id: 'a' })],
  ] as [string, (scene: ReturnType<typeof stage>) => void][]) {
    it.each([1, 2])(`%s down is reported once under the life that ended, when its owner ${end}`, (depth) => {
      const scene = stage(() => owner(depth));
      how(scene);
      scene.clock.advance(1);
      expect(disposers(scene)).toEqual(['top top/a#1 late']);
      const life = end === 'is told to stop' ? undefined : 2;
      expect(scene.incarnation('a')).toBe(life);
      expect(scene.reports.filter(({ body }) => body.type === 'child_terminated')).toHaveLength(life ? 1 : 0);
    });
  }
});

it('a contained machine without a supervisor takes along what it started, and fails as any actor', () => {
  const resources = createResources();
  const trap: Trap = { clock: createLab().clock, resources, failingStarts: 0 };
  const actor = createActor(contain(bomb('action', trap)));
  const errors: unknown[] = [];
  actor.subscribe({ error: (error) => errors.push(error) });
  actor.start();
  expect(resources.held()).toEqual({ bomb: 1, inner: 1 });
  actor.send({ type: 'go' });
  expect(resources.held()).toEqual({ bomb: 0, inner: 0 });
  expect(errors).toMatchObject([{ message: 'boom' }]);
});

describe('an effect that is a child itself cleans up once for each of its lives', () => {
  for (const [how, end] of [
    ['killed', (scene) => scene.supervision.kill('top/a', { by: 'test', count: true })],
    ['failing over an event', (scene) => scene.supervision.registry.tell('top/a', { type: 'boom' })],
  ] as readonly [string, (scene: ReturnType<typeof stage>) => unknown][])
    it(`${how} ten times: one live resource`, async () => {
      const scene = stage((trap) =>
        fromCallback(({ receive }) => {
          receive((event) => {
            if (event.type === 'boom') throw new Error('boom');
          });
          return trap.resources.hold('a');
        }),
      );
      for (let life = 1; life <= 10; life += 1) {
        end(scene);
        await scene.clock.settle();
        expect(scene.supervision.registry.incarnation('top/a')).toBe(life + 1);
        expect(scene.resources.held()).toEqual({ a: 1 });
      }
      expect(await scene.resources.beating()).toMatchObject({ a: 1 });
    });

  it('and what its cleaning throws is reported, and hides nothing', async () => {
    const scene = stage(() =>
      fromCallback(() => () => {
        throw new Error('it sticks');
      }),
    );
    scene.supervision.kill('top/a', { by: 'test', count: true });
    await scene.clock.settle();
    expect(scene.supervision.registry.incarnation('top/a')).toBe(2);
    expect(scene.reports.filter(({ body }) => body.type === 'disposer_failed')).toMatchObject([
      { childPath: 'top/a', childIncarnation: 1, body: { error: { message: 'it sticks' } } },
    ]);
  });
});

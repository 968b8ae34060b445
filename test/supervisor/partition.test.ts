import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  partitionOf,
  type PartitionedSpec,
  type SupervisorSpec,
  type TreeNode,
} from '../../src/supervisor/index.ts';
import { createStage } from '../conformance/puppets.ts';

const N = 4;

/** The first `count` ids of the form s1, s2, ... that belong to a partition. */
function idsOf(partition: number, count = 1): string[] {
  const ids: string[] = [];
  for (let i = 1; ids.length < count; i += 1) if (partitionOf(`s${i}`, N) === partition) ids.push(`s${i}`);
  return ids;
}

/** A partitioned supervisor `top/pool` beside a worker, and the few questions every test asks. */
function createPool(given: Partial<PartitionedSpec> = {}, intensity = 5, plain?: SupervisorSpec) {
  const stage = createStage();
  const { supervision } = stage;
  const partitioned = supervision.partitioned({
    partitions: N,
    intensity: 1,
    periodMs: 60_000,
    each: { intensity: 1, periodMs: 5_000 },
    ...given,
  });
  const logic = plain ? supervision.supervisor(plain) : partitioned;
  const top = stage.start({ intensity, children: [{ id: 'pool', logic }, stage.child('beside')] });
  const node = (): TreeNode => supervision.registry.node('top/pool')!;
  return {
    ...stage,
    ...top,
    node,
    inPool: (path: string) => `top/pool/${path}`,
    add: (...ids: string[]) => ids.map((id) => stage.add(stage.child(id), 'top/pool')),
    lives: () => stage.lives('top/pool'),
    partitions: () => supervision.whichPartitions('top/pool').map((row) => row.child),
    /** One death more than each partition bears. */
    exhaust: (id: string) => {
      stage.end(`pool/${id}`, 'die');
      stage.end(`pool/${id}`, 'die');
    },
  };
}

describe('the hash', () => {
  it('is FNV-1a of 32 bits over 16-bit units, folded: the same in every process and every run', () => {
    // The published FNV-1a of the two bytes of `a`.
    expect(partitionOf('a', 65_536)).toBe((0x2b24d044 ^ 0x2b24) & 0xffff);
    const keys = ['', 'a', 'agent:main:main', 'ключ', '😀'];
    expect(keys.map((key) => partitionOf(key, 16))).toEqual([9, 0, 7, 0, 0]);
    expect(keys.map((key) => partitionOf(key, 1))).toEqual([0, 0, 0, 0, 0]);
  });

  for (const form of ['agent:main:u$', '$', 'telegram:-100$:thread', 'ключ$', '😀$a'])
    for (const partitions of [2, 16, 37])
      it(`spreads 10,000 ids like ${form} over ${partitions} partitions, none with a third more than its share`, () => {
        const counts = Array.from({ length: partitions }, () => 0);
        for (let i = 0; i < 10_000; i += 1) counts[partitionOf(form.replace('$', `${i}`), partitions)]! += 1;
        const fair = 10_000 / partitions;
        expect(Math.max(...counts)).toBeLessThan((fair * 4) / 3);
        expect(Math.min(...counts)).toBeGreaterThan((fair * 2) / 3);
      });
});

describe('a partition is not part of a path', () => {
  it('children of every partition are told, watched and asked for by the path of the whole', () => {
    const pool = createPool();
    const ids = [0, 1, 2, 3].flatMap((p) => idsOf(p, 2));
    expect(pool.add(...ids)).toEqual(ids.map(() => ({ ok: true, incarnation: 1 })));
    const seen: string[] = [];
    for (const id of ids)
      pool.registry.watch(pool.inPool(id), {
        up: (life) => seen.push(`${id} up ${life}`),
        down: (life, why) => seen.push(`${id} down ${life} ${why}`),
      });
    pool.clock.advance(0);
    seen.length = 0;
    for (const id of ids) {
      pool.end(`pool/${id}`, 'die');
      expect(seen.splice(0)).toEqual([`${id} down 1 error`, `${id} up 2`]);
      pool.clock.advance(6_000);
    }
    expect(pool.lives()).toEqual(Object.fromEntries(ids.map((id) => [id, 2])));
    expect(
      pool.supervision
        .whichChildren('top/pool')
        .map((row) => row.path)
        .toSorted(),
    ).toEqual(ids.map(pool.inPool).toSorted());
    expect(pool.count('top/pool')).toEqual({ specs: 8, active: 8, supervisors: 0, workers: 8 });
    expect(pool.partitions()).toEqual([1, 1, 1, 1]);
  });

  it('the tree lists the children right under the whole, in one list', () => {
    const pool = createPool();
    const ids = [0, 1, 2, 3].flatMap((p) => idsOf(p));
    pool.add(...ids);
    expect(pool.node()).toMatchObject({ kind: 'supervisor', status: 'running', incarnation: 1 });
    expect(pool.node().children.map(({ path, id, children }) => [path, id, children])).toEqual(
      ids.map((id) => [pool.inPool(id), id, []]),
    );
    expect(JSON.stringify(pool.registry.tree())).not.toContain('#');
  });

  it('a child that is a supervisor has its own children below its path', () => {
    const pool = createPool();
    const inner = pool.supervisor('s1', { children: [pool.child('w')] });
    expect(pool.supervision.startChild('top/pool', inner)).toMatchObject({ ok: true });
    expect(pool.incarnation('pool/s1/w')).toBe(1);
    pool.end('pool/s1/w', 'die');
    expect(pool.incarnation('pool/s1/w')).toBe(2);
    expect(pool.node().children[0]!.children[0]!.path).toBe('top/pool/s1/w');
  });

  it('an id that looks like a partition, or a path, is a child like any other', () => {
    const pool = createPool();
    expect(pool.add('#0', 'a/b', '%230')).toEqual(
      [1, 1, 1].map((incarnation) => ({ ok: true, incarnation })),
    );
    expect(
      pool
        .node()
        .children.map((child) => child.id)
        .toSorted(),
    ).toEqual(['%230', '%25230', 'a%2Fb']);
    expect(pool.tell('pool/%230', 'nothing')).toBe('sent');
    expect(pool.partitions()).toEqual([1, 1, 1, 1]);
  });

  it('each child is told its path, and reports name it so; the partition is named as the one that reports', () => {
    const pool = createPool();
    const [id] = idsOf(2) as [string];
    const told: unknown[] = [];
    const input = ({ path, incarnation }: { path: string; incarnation: number }) => {
      told.push([path, incarnation]);
      return {};
    };
    pool.supervision.startChild('top/pool', pool.child(id, { input }));
    pool.end(`pool/${id}`, 'die');
    expect(told).toEqual([1, 2].map((life) => [pool.inPool(id), life]));
    const about = pool.reports.filter((report) => report.childPath === pool.inPool(id));
    expect(about.map((report) => [report.path, report.body.type])).toEqual(
      ['progress', 'child_terminated', 'restart_scheduled', 'progress'].map((type) => ['top/pool/#2', type]),
    );
  });
});

describe('orders by path', () => {
  it('terminate, restart and delete reach the partition that holds the child, and say not_found for nobody', async () => {
    const pool = createPool({ each: { intensity: 1, periodMs: 5_000, dynamic: false } });
    const [id] = idsOf(3) as [string];
    pool.add(id);
    const ask = (type: Parameters<typeof pool.ask>[0], who = id) => pool.ask(type, who, 'top/pool');
    expect(pool.add(id)).toMatchObject([{ reason: 'already_started' }]);
    expect(await ask('restart_child')).toMatchObject({ reason: 'running' });
    expect(await ask('terminate_child')).toMatchObject({ ok: true });
    expect(pool.add(id)).toMatchObject([{ reason: 'already_present' }]);
    expect(await ask('restart_child')).toEqual({ ok: true, incarnation: 2 });
    await ask('terminate_child');
    expect(await ask('delete_child')).toMatchObject({ ok: true });
    for (const type of ['terminate_child', 'restart_child', 'delete_child'] as const)
      expect(await ask(type)).toEqual({ ok: false, reason: 'not_found' });
    expect(await ask('terminate_child', '#3')).toEqual({ ok: false, reason: 'not_found' });
    expect(pool.partitions()).toEqual([1, 1, 1, 1]);
  });

  it('a child is killed, parked and unparked by its path; its siblings in and out of its partition live on', async () => {
    const pool = createPool();
    const ids = [...idsOf(0, 2), ...idsOf(1)] as [string, string, string];
    pool.add(...ids);
    const path = pool.inPool(ids[0]);
    pool.end(`pool/${ids[0]}`, 'kill');
    expect(pool.lives()).toEqual({ [ids[0]]: 2, [ids[1]]: 1, [ids[2]]: 1 });
    expect(await pool.supervision.hold(path, 'park')).toEqual({ path, incarnation: 2 });
    expect(pool.lives()).toMatchObject({ [ids[0]]: 'parked', [ids[1]]: 1 });
    expect(pool.node().children.find((child) => child.path === path)).toMatchObject({ status: 'parked' });
    expect(await pool.supervision.hold(path, 'unpark')).toEqual({ path, incarnation: 3 });
    expect(pool.lives()).toEqual({ [ids[0]]: 3, [ids[1]]: 1, [ids[2]]: 1 });
  });

  it("a child's spec is found with its defaults, whatever its partition", () => {
    const pool = createPool();
    const [id] = idsOf(1) as [string];
    pool.add(id);
    const { getChildSpec } = pool.supervision;
    expect(getChildSpec('top/pool', id)).toMatchObject({ id, restart: 'permanent', shutdown: 5_000 });
    expect(getChildSpec('top/pool', 'ghost')).toBeUndefined();
    expect(() => getChildSpec('top/ghost', id)).toThrow(expect.objectContaining({ code: 'ACTOR_NOT_FOUND' }));
  });

  it('a bad spec is refused naming the field, also one that is no spec and one that is significant', () => {
    const pool = createPool();
    const { startChild } = pool.supervision;
    for (const [spec, field] of [
      [undefined, 'children'],
      [{ id: 7 }, '7.id'],
      [{ id: 'x' }, 'x.logic'],
      [pool.child('x', { partitionKey: 7 as never }), 'x.partitionKey'],
      [pool.child('x', { restart: 'transient', significant: true }), 'x.significant'],
    ] as const)
      expect(startChild('top/pool', spec as never)).toMatchObject({
        reason: 'start_failed',
        error: { code: 'SPEC_INVALID', message: expect.stringContaining(field) as string },
      });
    expect(pool.lives()).toEqual({});
  });

  it('a change of the whole is refused; one partition is changed by its own path', async () => {
    const pool = createPool();
    const spec = { strategy: 'one_for_one', intensity: 9, periodMs: 5_000, dynamic: true } as const;
    expect(await pool.supervision.admin('top/pool', { type: 'change', spec })).toMatchObject({
      reason: 'spec_invalid',
      error: { code: 'SPEC_INVALID' },
    });
    expect(await pool.supervision.admin('top/pool/#1', { type: 'change', spec })).toMatchObject({ ok: true });
    const [changed, other] = [idsOf(1)[0]!, idsOf(2)[0]!];
    pool.add(changed, other);
    pool.exhaust(changed);
    pool.exhaust(other);
    expect(pool.partitions()).toEqual([1, 1, 2, 1]);
  });
});

describe('partitions fail apart', () => {
  it('one is exhausted: its share falls, the children of the others are untouched, and it stands again, empty', () => {
    const pool = createPool();
    const [bad, neighbour] = idsOf(0, 2) as [string, string];
    const others = [1, 2, 3].flatMap((p) => idsOf(p, 3));
    pool.add(bad, neighbour, ...others);
    pool.exhaust(bad);
    expect(pool.lives()).toEqual(Object.fromEntries(others.map((id) => [id, 1])));
    expect(pool.partitions()).toEqual([2, 1, 1, 1]);
    expect(pool.tell(`pool/${neighbour}`, 'nothing')).toBe('noproc');
    expect(pool.incarnation('pool')).toBe(1);
    expect(pool.resources()).toBe(others.length + 1);
    const lost = pool.reports.filter((report) => report.childPath === 'top/pool/#0');
    expect(lost.map((report) => report.body.type)).toEqual([
      'progress',
      'shutdown',
      'child_terminated',
      'restart_scheduled',
      'progress',
    ]);
    expect(pool.add(bad)).toEqual([{ ok: true, incarnation: 1 }]);
    expect(pool.lives()).toMatchObject({ [bad]: 1 });
  });

  it('deaths are counted for each partition: as many at once as each bears exhaust none', () => {
    const pool = createPool();
    const ids = [0, 1, 2, 3].flatMap((p) => idsOf(p));
    pool.add(...ids);
    for (const id of ids) pool.end(`pool/${id}`, 'die');
    expect(pool.lives()).toEqual(Object.fromEntries(ids.map((id) => [id, 2])));
    expect(pool.partitions()).toEqual([1, 1, 1, 1]);
  });

  it('more lost partitions than the whole bears end the whole, and its own parent restarts it', () => {
    const pool = createPool();
    const [first, second, third] = [0, 1, 2].map((p) => idsOf(p)[0]!) as [string, string, string];
    pool.add(first, second, third);
    pool.exhaust(first);
    expect(pool.incarnation('pool')).toBe(1);
    pool.exhaust(second);
    expect(pool.incarnation('pool')).toBe(2);
    expect(pool.lives()).toEqual({});
    expect(pool.partitions()).toEqual([1, 1, 1, 1]);
    expect(pool.incarnation('beside')).toBe(1);
    expect(pool.resources()).toBe(1);
  });

  it('what the whole cannot cure goes on upwards', () => {
    const pool = createPool({ intensity: 0 }, 0);
    const [id] = idsOf(0) as [string];
    pool.add(id);
    pool.exhaust(id);
    expect(pool.outputs).toMatchObject([{ exit: 'shutdown' }]);
    expect(pool.resources()).toBe(0);
  });

  it('with park, the lost partition is held down and seen; the others live, and an operator brings it back', async () => {
    const pool = createPool({ intensity: 0, onExhausted: 'park' });
    const [bad, good] = [idsOf(0)[0]!, idsOf(1)[0]!];
    pool.add(bad, good);
    pool.exhaust(bad);
    expect(pool.partitions()).toEqual(['parked', 1, 1, 1]);
    expect(pool.lives()).toEqual({ [good]: 1 });
    expect(pool.node().children.map(({ id, status }) => [id, status])).toEqual([
      ['#0', 'parked'],
      [good, 'running'],
    ]);
    expect(pool.add(bad)).toEqual([{ ok: false, reason: 'restarting' }]);
    expect(await pool.ask('terminate_child', bad, 'top/pool')).toEqual({ ok: false, reason: 'restarting' });
    await pool.supervision.hold('top/pool/#0', 'unpark');
    expect(pool.add(bad)).toEqual([{ ok: true, incarnation: 1 }]);
    expect(pool.node().children.map((child) => child.id)).toEqual([bad, good]);
  });

  it('with park in each, the one child is held down and not even its partition falls', () => {
    const pool = createPool({ each: { intensity: 0, periodMs: 5_000, onExhausted: 'park' } });
    const [bad, neighbour] = idsOf(0, 2) as [string, string];
    pool.add(bad, neighbour);
    pool.end(`pool/${bad}`, 'die');
    expect(pool.lives()).toEqual({ [bad]: 'parked', [neighbour]: 1 });
    expect(pool.partitions()).toEqual([1, 1, 1, 1]);
  });

  it('a partition that is killed comes back like one that failed; an operator names it', () => {
    const pool = createPool();
    const ids = [idsOf(0)[0]!, idsOf(1)[0]!] as const;
    pool.add(...ids);
    pool.supervision.kill('top/pool/#0', { by: 'test' });
    pool.clock.advance(1);
    expect(pool.partitions()).toEqual([2, 1, 1, 1]);
    expect(pool.lives()).toEqual({ [ids[1]]: 1 });
    expect(pool.resources()).toBe(2);
  });
});

describe('beside a supervisor without partitions', () => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
  const step = fc.record({
    id: fc.constantFrom(...ids),
    what: fc.constantFrom(
      ...(['start', 'die', 'stop', 'leave', 'kill', 'terminate_child'] as const),
      ...(['restart_child', 'delete_child', 'park', 'unpark', 'fail the next start'] as const),
    ),
    restart: fc.constantFrom('permanent', 'transient', 'temporary'),
  });
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  /** What is answered to each order, what reaches whom, and who lives after it. */
  async function story(pool: ReturnType<typeof createPool>, steps: readonly Step[]): Promise<unknown[]> {
    const told: unknown[] = [];
    for (const { id, what, restart } of steps) {
      if (what === 'start') told.push(pool.supervision.startChild('top/pool', pool.child(id, { restart })));
      else if (what === 'fail the next start') pool.failStarts.set(id, 1);
      else if (what === 'kill') {
        if (pool.incarnation(`pool/${id}`) !== undefined) pool.end(`pool/${id}`, 'kill');
      } else if (what === 'die' || what === 'stop' || what === 'leave') pool.end(`pool/${id}`, what);
      else told.push(await pool.supervision.admin('top/pool', { type: what, id }));
      pool.clock.advance(1);
      const rows = pool.supervision.whichChildren('top/pool').toSorted((x, y) => (x.id < y.id ? -1 : 1));
      const shown = pool.node().children.map((child) => `${child.path} ${child.status}`);
      told.push(rows, pool.count('top/pool'), shown.toSorted(), pool.dead.splice(0));
      told.push(rows.map((row) => pool.supervision.getChildSpec('top/pool', row.id)?.restart));
    }
    return told;
  }

  for (const dynamic of [true, false])
    it(`${dynamic ? 'dynamic' : 'static'}: whatever happens to the children, every answer is the same`, async () => {
      const each = { intensity: 1_000, periodMs: 5_000, dynamic };
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const whole = createPool({ partitions: 1, each });
          const spread = createPool({ partitions: 5, each });
          const plain = createPool({}, 5, { strategy: 'one_for_one', ...each });
          const expected = await story(plain, steps);
          expect(await story(spread, steps)).toEqual(expected);
          expect(await story(whole, steps)).toEqual(expected);
        }),
        { seed: 41, numRuns: 100 },
      );
    });
});

describe('keys', () => {
  it('children with the same key share a partition and its fate, whatever their ids', () => {
    const pool = createPool();
    const key = idsOf(2)[0]!;
    const ids = [0, 1, 3].map((p) => idsOf(p)[0]!) as [string, string, string];
    for (const id of ids) pool.supervision.startChild('top/pool', pool.child(id, { partitionKey: key }));
    expect(pool.supervision.whichPartitions('top/pool').map((row) => row.children)).toEqual([0, 0, 3, 0]);
    pool.exhaust(ids[0]);
    expect(pool.lives()).toEqual({});
    expect(pool.partitions()).toEqual([1, 1, 2, 1]);
  });

  it('a start that failed under one key and closes slowly keeps its id from another key until it has closed', async () => {
    const pool = createPool();
    let open = 0;
    const met: number[] = [];
    const child = pool.child('x', {
      input: ({ scope }) => {
        met.push(open);
        open += 1;
        scope.add(
          () =>
            new Promise<void>((resolve) =>
              pool.clock.setTimeout(() => {
                open -= 1;
                resolve();
              }, 50),
            ),
        );
      },
    });
    const [one, other] = [0, 1].map((partition) => ({ ...child, partitionKey: idsOf(partition)[0]! }));
    pool.failStarts.set('x', 1);
    expect(pool.supervision.startChild('top/pool', one!)).toMatchObject({ reason: 'start_failed' });
    expect(pool.supervision.startChild('top/pool', other!)).toMatchObject({ reason: 'restarting' });
    await pool.clock.advanceAsync(100);
    expect(pool.supervision.startChild('top/pool', other!)).toMatchObject({ ok: true });
    expect(met).toEqual([0, 0]);
  });

  it('a child with a key is found by its id alone, and its id is taken for any other key', async () => {
    const pool = createPool();
    const [id] = idsOf(0) as [string];
    const start = (p: number) =>
      pool.supervision.startChild('top/pool', pool.child(id, { partitionKey: idsOf(p)[0]! }));
    expect(start(1)).toMatchObject({ ok: true });
    expect(start(2)).toMatchObject({ reason: 'already_started' });
    expect(pool.add(id)).toMatchObject([{ reason: 'already_started' }]);
    expect(await pool.ask('terminate_child', id, 'top/pool')).toMatchObject({ ok: true });
    expect(start(2)).toMatchObject({ ok: true });
    expect(pool.supervision.whichPartitions('top/pool').map((row) => row.children)).toEqual([0, 0, 1, 0]);
  });

  it('two starts of one id under two keys in one turn: the first lives, the second is told', async () => {
    const pool = createPool();
    const answers: unknown[] = [];
    const startAs = (p: number) =>
      pool.supervision
        .admin('top/pool', { type: 'start_child', spec: pool.child('twin', { partitionKey: idsOf(p)[0]! }) })
        .then((reply) => answers.push(reply));
    let both: Promise<unknown> = Promise.resolve();
    // From within a start, so that both requests wait in mailboxes.
    const input = () => {
      both = Promise.all([startAs(1), startAs(2), startAs(1)]);
      return {};
    };
    pool.supervision.startChild('top/pool', pool.child(idsOf(1)[0]!, { input }));
    await both;
    expect(answers.filter((a) => (a as { ok: boolean }).ok)).toHaveLength(1);
    expect(answers).toContainEqual({ ok: false, reason: 'already_started' });
    expect(pool.lives()).toMatchObject({ twin: 1 });
    expect(pool.count('top/pool').specs).toBe(2);
  });

  it('the same, when the first has nothing to run and is only kept: present', async () => {
    const pool = createPool({ each: { intensity: 1, periodMs: 5_000, dynamic: false } });
    pool.ignores.add('twin');
    const startAs = (p: number) =>
      pool.supervision.admin('top/pool', {
        type: 'start_child',
        spec: pool.child('twin', { partitionKey: idsOf(p)[0]! }),
      });
    let both: Promise<unknown> = Promise.resolve();
    const input = () => {
      both = Promise.all([startAs(1), startAs(2)]);
      return {};
    };
    pool.supervision.startChild('top/pool', pool.child(idsOf(1)[0]!, { input }));
    expect(await both).toEqual([
      { ok: false, reason: 'already_present' },
      { ok: true, incarnation: 1, ignored: true },
    ]);
  });

  it('what a parked partition left may be started elsewhere under another key, once', () => {
    const pool = createPool({ intensity: 0, onExhausted: 'park' });
    const [id, other] = [idsOf(0)[0]!, idsOf(1)[0]!];
    pool.add(id);
    pool.exhaust(id);
    const spec = pool.child(id, { partitionKey: other });
    expect(pool.supervision.startChild('top/pool', spec)).toEqual({ ok: true, incarnation: 1 });
    expect(pool.tell(`pool/${id}`, 'nothing')).toBe('sent');
    pool.clock.advance(60_000);
    expect(pool.partitions()).toEqual([2, 1, 1, 1]);
    expect(pool.lives()).toEqual({ [id]: 1 });
    expect(pool.tell(`pool/${id}`, 'nothing')).toBe('sent');
  });
});

describe('static children and limits', () => {
  it('a list is spread by the same hash; after a loss a partition has its own again', () => {
    const stage = createStage();
    const ids = [0, 1, 2, 3].flatMap((p) => idsOf(p, 2));
    const pool = createPool({ children: ids.map((id) => stage.child(id)) });
    expect(pool.supervision.whichPartitions('top/pool').map((row) => row.children)).toEqual([2, 2, 2, 2]);
    pool.add(idsOf(0, 3)[2]!);
    pool.exhaust(ids[0]!);
    expect(pool.lives()).toEqual(Object.fromEntries(ids.map((id) => [id, 1])));
    expect(pool.partitions()).toEqual([2, 1, 1, 1]);
  });

  it('a key in a listed spec counts as it does later', () => {
    const stage = createStage();
    const key = idsOf(3)[0]!;
    const children = [0, 1, 2].map((p) => stage.child(idsOf(p)[0]!, { partitionKey: key }));
    const pool = createPool({ children });
    expect(pool.supervision.whichPartitions('top/pool').map((row) => row.children)).toEqual([0, 0, 0, 3]);
  });

  it('a function says what each partition runs', () => {
    const stage = createStage();
    const pool = createPool({ children: (partition) => [stage.child(`worker-${partition}`)] });
    expect(pool.lives()).toEqual({ 'worker-0': 1, 'worker-1': 1, 'worker-2': 1, 'worker-3': 1 });
    expect(pool.supervision.whichPartitions('top/pool')).toEqual(
      [0, 1, 2, 3].map((partition) => ({ partition, path: `top/pool/#${partition}`, child: 1, children: 1 })),
    );
  });

  it('maxChildren bounds each share', () => {
    const pool = createPool({ each: { intensity: 1, periodMs: 5_000, maxChildren: 1 } });
    const [first, second] = idsOf(0, 2) as [string, string];
    expect(pool.add(first, second, idsOf(1)[0]!)).toMatchObject([
      { ok: true },
      { reason: 'max_children' },
      { ok: true },
    ]);
  });

  it('partitions stop side by side, each with its children side by side', () => {
    const pool = createPool();
    const ids = [0, 1, 2, 3].flatMap((p) => idsOf(p, 2));
    for (const id of ids) pool.supervision.startChild('top/pool', pool.child(id, { stopMs: 1_000 }));
    pool.shutdown(pool.root);
    pool.clock.advance(1_100);
    expect(pool.outputs).toMatchObject([{ exit: 'shutdown' }]);
    expect(pool.resources()).toBe(0);
  });

  it('a static child that cannot start fails the start of the whole, and nothing is left', () => {
    const stage = createStage();
    const ids = [0, 1].map((p) => idsOf(p)[0]!) as [string, string];
    stage.failStarts.set(ids[1], 1);
    const logic = stage.supervision.partitioned({
      partitions: N,
      intensity: 1,
      periodMs: 1_000,
      each: { intensity: 1, periodMs: 1_000 },
      children: ids.map((id) => stage.child(id)),
    });
    const { errors } = stage.start({ children: [{ id: 'pool', logic }] });
    expect(errors).toHaveLength(1);
    expect(stage.resources()).toBe(0);
  });

  const good: PartitionedSpec = {
    partitions: 2,
    intensity: 1,
    periodMs: 1_000,
    each: { intensity: 1, periodMs: 1_000 },
  };
  const { child } = createStage();
  for (const [what, spec, field] of [
    ['no partitions', { ...good, partitions: 0 }, 'partitions'],
    ['half a partition', { ...good, partitions: 1.5 }, 'partitions'],
    ['more than the hash tells apart', { ...good, partitions: 65_537 }, 'partitions'],
    ['nothing said of each', { ...good, each: undefined }, 'each'],
    ['autoShutdown', { ...good, autoShutdown: 'any_significant' }, 'autoShutdown'],
    [
      'autoShutdown of each',
      { ...good, each: { ...good.each, autoShutdown: 'all_significant' } },
      'each.autoShutdown',
    ],
    ['another strategy', { ...good, strategy: 'one_for_all' }, 'strategy'],
    ['a bad limit', { ...good, intensity: -1 }, 'intensity'],
    ['a bad limit of each', { ...good, each: { intensity: 1, periodMs: 0 } }, 'each.periodMs'],
    ['children that are none', { ...good, children: 'many' }, 'children'],
    [
      'a significant child',
      { ...good, children: [child('a', { significant: true, restart: 'transient' })] },
      'a.significant',
    ],
    ['the same id twice', { ...good, children: () => [child('a')] }, 'id'],
    ['nothing at all', undefined, 'spec'],
  ] as const)
    it(`${what}: refused before anything starts, naming ${field}`, () => {
      const { supervision } = createStage();
      expect(() => supervision.partitioned(spec as never)).toThrow(
        expect.objectContaining({
          code: 'SPEC_INVALID',
          details: expect.objectContaining({ field }) as unknown,
        }),
      );
    });

  it('a supervisor without partitions has none, and nobody has neither', () => {
    const pool = createPool();
    expect(pool.supervision.whichPartitions('top')).toEqual([]);
    expect(() => pool.supervision.whichPartitions('top/ghost')).toThrow(
      expect.objectContaining({ code: 'ACTOR_NOT_FOUND' }),
    );
  });

  it('3,000 children in 16 partitions: all counted, all killed, none left', () => {
    const pool = createPool({ partitions: 16 });
    const logic = pool.puppet('c');
    for (let i = 0; i < 3_000; i += 1)
      pool.supervision.startChild('top/pool', { id: `c${i}`, logic, restart: 'temporary' });
    expect(pool.count('top/pool')).toEqual({ specs: 3_000, active: 3_000, supervisors: 0, workers: 3_000 });
    const shares = pool.supervision.whichPartitions('top/pool').map((row) => row.children);
    expect(shares.reduce((sum, share) => sum + share)).toBe(3_000);
    expect(Math.min(...shares)).toBeGreaterThan(100);
    for (const { path } of pool.supervision.whichChildren('top/pool'))
      pool.supervision.kill(path, { by: 'test' });
    pool.clock.advance(1);
    expect(pool.count('top/pool').specs).toBe(0);
    expect(pool.resources()).toBe(1);
  });
});

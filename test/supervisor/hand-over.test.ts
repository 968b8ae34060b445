import { describe, expect, it } from 'vitest';
import type { ChildSpec, SupervisorSpec } from '../../src/supervisor/index.ts';
import { createStage, quickBackoff } from '../conformance/puppets.ts';

const PERIOD_MS = 5_000;
const PROBE_MS = 60_000;
const REASON = 'it died young with the facts of the life before, and again when it was started without them';

/** `a` asks for quarantine and notes what each of its lives is given; `b` is the sibling that must be spared. */
function createLadder(spec: Partial<ChildSpec> = {}, flags: Partial<SupervisorSpec> = {}) {
  const stage = createStage();
  const given: unknown[] = [];
  let keep: (facts: unknown) => void = () => {};
  const a = stage.child('a', {
    quarantine: true,
    input: (start) => {
      given.push(start.facts);
      keep = start.keep;
      return {};
    },
    ...spec,
  });
  const children = [a, stage.child('b')];
  const top = stage.start({ intensity: 100, periodMs: PERIOD_MS, probeMs: PROBE_MS, ...flags, children });
  return {
    ...stage,
    ...top,
    given,
    keep: (facts: unknown) => keep(facts),
    die: () => stage.end('a', 'die'),
    parked: () =>
      stage.reports.flatMap(({ childPath, body }) =>
        body.type === 'parked' ? [[childPath, body.reason, body.probeMs]] : [],
      ),
    hold: (order: 'park' | 'unpark') => stage.supervision.hold('top/a', order),
  };
}

/** As far as quarantine: given facts, then clean, then none. */
function quarantined(...args: Parameters<typeof createLadder>) {
  const ladder = createLadder(...args);
  ladder.keep({ step: 3 });
  for (let i = 0; i < 3; i += 1) ladder.die();
  return ladder;
}

describe('the ladder', () => {
  it('facts are given once, the next life is clean, and when that dies young too the child is parked; its sibling lives', () => {
    const { given, keep, die, lives, parked, resources } = createLadder();
    keep({ step: 3 });
    die();
    expect(given).toEqual([undefined, { step: 3 }]);
    keep({ step: 4 });
    die();
    expect(given).toEqual([undefined, { step: 3 }, undefined]);
    keep({ step: 5 });
    die();
    expect(lives()).toEqual({ a: 'parked', b: 1 });
    expect(parked()).toEqual([['top/a', REASON, PROBE_MS]]);
    expect(given).toHaveLength(3);
    expect(resources()).toBe(1);
  });

  it('the reports tell the whole story, in order', () => {
    const { reports } = quarantined();
    const told = reports.filter((report) => report.childPath === 'top/a');
    expect(told.map(({ childIncarnation, body }) => `${childIncarnation} ${body.type}`)).toEqual([
      '1 progress',
      '1 child_terminated',
      '1 restart_scheduled',
      '2 progress',
      '2 child_terminated',
      '2 restart_scheduled',
      '3 progress',
      '3 child_terminated',
      '3 parked',
    ]);
  });

  it('without the field it is restarted and counted as OTP does, until the supervisor gives up', () => {
    const { outputs, given, parked } = (() => {
      const ladder = createLadder({ quarantine: false }, { intensity: 3 });
      ladder.keep(1);
      for (let i = 0; i < 4; i += 1) ladder.die();
      return ladder;
    })();
    expect(given).toEqual([undefined, 1, undefined, undefined]);
    expect(parked()).toEqual([]);
    expect(outputs).toMatchObject([{ exit: 'shutdown' }]);
  });

  it('a child that leaves no facts is never quarantined: there is nothing to suspect', () => {
    const { die, lives, parked } = createLadder();
    for (let i = 0; i < 10; i += 1) die();
    expect(lives()).toEqual({ a: 11, b: 1 });
    expect(parked()).toEqual([]);
  });

  it('quarantine costs the supervisor nothing: the deaths before it were counted, its own is not', () => {
    const { lives, end, outputs } = quarantined({}, { intensity: 3 });
    end('b', 'die');
    expect(lives()).toEqual({ a: 'parked', b: 2 });
    end('b', 'die');
    expect(outputs).toMatchObject([{ exit: 'shutdown' }]);
  });
});

describe('growing old', () => {
  it('a handed life that grew old leaves its facts to the next, and the ladder begins anew', () => {
    const { given, keep, die, clock, lives } = createLadder();
    keep(1);
    die();
    keep(2);
    clock.advance(PERIOD_MS);
    die();
    expect(given).toEqual([undefined, 1, 2]);
    die();
    expect(given).toEqual([undefined, 1, 2, undefined]);
    expect(lives()).toEqual({ a: 4, b: 1 });
    die();
    expect(lives()).toEqual({ a: 'parked', b: 1 });
  });

  it('a clean life that grew old is trusted again: its facts are given, and it takes both rungs to park it', () => {
    const { given, keep, die, clock, lives } = createLadder();
    keep(1);
    die();
    die();
    keep(2);
    clock.advance(PERIOD_MS);
    die();
    expect(given).toEqual([undefined, 1, undefined, 2]);
    die();
    expect(lives()).toEqual({ a: 5, b: 1 });
    die();
    expect(lives()).toEqual({ a: 'parked', b: 1 });
  });

  for (const [lived, state] of [
    [49, 'parked'],
    [51, 4],
  ] as const)
    it(`with a backoff, its resetAfterMs says what young is: after ${lived} of 50 ms it ${state === 'parked' ? 'is parked' : 'lives on'}`, () => {
      const { keep, die, clock, lives } = createLadder({ backoff: { ...quickBackoff(0), resetAfterMs: 50 } });
      keep(1);
      die();
      die();
      clock.advance(lived - 2);
      die();
      expect(lives()).toEqual({ a: state, b: 1 });
    });

  it('an end that is no failure takes it off the ladder', () => {
    const { given, keep, die, end, lives } = createLadder();
    keep(1);
    die();
    die();
    keep(2);
    end('a', 'stop');
    die();
    expect(given).toEqual([undefined, 1, undefined, undefined, undefined]);
    expect(lives()).toEqual({ a: 5, b: 1 });
  });
});

describe('starts that fail', () => {
  it('count as young: with the facts, then without them, then it is parked', () => {
    const { given, keep, die, lives, parked, failStarts, log } = createLadder();
    keep(1);
    failStarts.set('a', 2);
    die();
    expect(given).toEqual([undefined, 1, undefined]);
    expect(log.filter((line) => line === 'fail a')).toHaveLength(2);
    expect(lives()).toEqual({ a: 'parked', b: 1 });
    expect(parked()).toHaveLength(1);
  });

  it('an input that throws on bad facts is asked again without them', () => {
    const stage = createStage();
    const given: unknown[] = [];
    const a = stage.child('a', {
      quarantine: true,
      input: ({ facts, keep }) => {
        given.push(facts);
        if (facts) throw new Error('cannot read these');
        keep('rubbish');
        return {};
      },
    });
    stage.start({ intensity: 9, children: [a, stage.child('b')] });
    stage.end('a', 'die');
    expect(given).toEqual([undefined, 'rubbish', undefined]);
    expect(stage.lives()).toEqual({ a: 3, b: 1 });
  });
});

describe('the way out', () => {
  it('a probe starts it clean; one more young death parks it for twice as long, ten times at most', () => {
    const { clock, given, keep, die, lives, parked, reports } = quarantined();
    for (let i = 0; i < 5; i += 1) {
      clock.advance(Math.min(PROBE_MS * 2 ** i, PROBE_MS * 10));
      expect(lives()).toEqual({ a: 4 + i, b: 1 });
      expect(given.at(-1)).toBeUndefined();
      keep('poison');
      die();
      expect(lives()).toEqual({ a: 'parked', b: 1 });
    }
    expect(parked().map((row) => row[2])).toEqual([1, 2, 4, 8, 10, 10].map((times) => times * PROBE_MS));
    expect(reports.flatMap(({ body }) => (body.type === 'unparked' ? [body.by] : []))).toEqual(
      Array.from({ length: 5 }, () => 'probe'),
    );
  });

  it('a probe whose life grows old ends the quarantine: the next death is an ordinary one, with its facts', () => {
    const { clock, given, keep, die, lives, parked } = quarantined();
    clock.advance(PROBE_MS);
    keep('good');
    clock.advance(PERIOD_MS);
    die();
    expect(lives()).toEqual({ a: 5, b: 1 });
    expect(given.at(-1)).toBe('good');
    die();
    die();
    expect(parked().map((row) => row[2])).toEqual([PROBE_MS, PROBE_MS]);
  });

  it('an operator unparks it: a clean start, and the whole ladder below it again', async () => {
    const { given, keep, die, lives, hold } = quarantined();
    expect(await hold('unpark')).toEqual({ path: 'top/a', incarnation: 4 });
    expect(given).toEqual([undefined, { step: 3 }, undefined, undefined]);
    keep(1);
    die();
    die();
    expect(given.slice(4)).toEqual([1, undefined]);
    expect(lives()).toEqual({ a: 6, b: 1 });
    die();
    expect(lives()).toEqual({ a: 'parked', b: 1 });
  });

  it('an operator terminates and restarts it: the same clean start', async () => {
    const { given, die, lives, ask } = quarantined();
    await ask('terminate_child', 'a');
    expect(await ask('restart_child', 'a')).toEqual({ ok: true, incarnation: 4 });
    expect(given.at(-1)).toBeUndefined();
    die();
    expect(lives()).toEqual({ a: 5, b: 1 });
  });

  it('an operator who parks and unparks it in between ends the suspicion', async () => {
    const { keep, die, lives, hold } = createLadder();
    keep(1);
    die();
    die();
    await hold('park');
    await hold('unpark');
    die();
    expect(lives()).toEqual({ a: 5, b: 1 });
  });

  it("an operator's kill does not lead to quarantine, unless it is to be counted", () => {
    const { keep, die, end, lives, supervision, clock } = createLadder();
    keep(1);
    die();
    die();
    for (let i = 0; i < 3; i += 1) end('a', 'kill');
    expect(lives()).toEqual({ a: 6, b: 1 });
    supervision.kill('top/a', { by: 'test', count: true });
    clock.advance(1);
    expect(lives()).toEqual({ a: 'parked', b: 1 });
  });
});

it('a handed life that an operator kills is succeeded by a clean one, but nothing is suspected', () => {
  const { keep, die, end, given, lives } = createLadder();
  keep(1);
  die();
  end('a', 'kill');
  keep(2);
  die();
  expect(given).toEqual([undefined, 1, undefined, 2]);
  expect(lives()).toEqual({ a: 4, b: 1 });
});

for (const order of ['terminate_child', 'park'] as const)
  it(`${order} of a child that waits for its restart: what the dead life left is not given to the one an operator starts`, async () => {
    const { keep, die, given, ask, hold, supervision } = createLadder({ backoff: quickBackoff(500) });
    keep(1);
    die();
    await supervision.admin('top', { type: order, id: 'a' });
    if (order === 'park') await hold('unpark');
    else await ask('restart_child', 'a');
    expect(given).toEqual([undefined, undefined]);
  });

describe('beside the other rules', () => {
  it('onExhausted park: what comes first parks it, and it is unparked the same way', async () => {
    const early = quarantined({}, { intensity: 9, onExhausted: 'park' });
    expect(early.parked()).toEqual([['top/a', REASON, PROBE_MS]]);
    const late = quarantined({}, { intensity: 1, onExhausted: 'park' });
    expect(late.parked()).toEqual([['top/a', `more than 1 restarts in ${PERIOD_MS} ms`, PROBE_MS]]);
    await late.hold('unpark');
    expect(late.lives()).toEqual({ a: 3, b: 1 });
  });

  it('a dynamic child is kept while it is parked', () => {
    const { lives } = quarantined({ restart: 'transient' }, { dynamic: true });
    expect(lives()).toEqual({ a: 'parked', b: 1 });
  });

  it('being stopped with others is no death of its own: its facts are for the next life', () => {
    const stage = createStage();
    const given: unknown[] = [];
    const b = stage.child('b', {
      input: ({ facts, incarnation, keep }) => {
        given.push(facts);
        keep(incarnation);
        return {};
      },
    });
    stage.start({ strategy: 'rest_for_one', intensity: 9, children: [stage.child('a'), b] });
    for (let i = 0; i < 3; i += 1) stage.end('a', 'die');
    expect(given).toEqual([undefined, 1, 2, 3]);
  });

  it('dying by itself while it waits to be stopped with others is one: what it was given is suspected', () => {
    const stage = createStage();
    const given: unknown[] = [];
    const b = stage.child('b', {
      input: ({ facts, incarnation, keep }) => {
        given.push(facts);
        keep(incarnation);
        return {};
      },
    });
    const slow = stage.child('c', { stopMs: 100 });
    stage.start({ strategy: 'rest_for_one', intensity: 9, children: [stage.child('a'), b, slow] });
    stage.end('b', 'die');
    stage.clock.advance(100);
    stage.end('a', 'die');
    stage.end('b', 'die');
    stage.clock.advance(100);
    expect(stage.lives()).toEqual({ a: 2, b: 3, c: 3 });
    expect(given).toEqual([undefined, 1, undefined]);
  });

  for (const strategy of ['one_for_all', 'rest_for_one'] as const)
    it(`${strategy}: refused, as it cannot spare the siblings, at the start and later`, () => {
      const stage = createStage();
      const poison = stage.child('a', { quarantine: true });
      const refused = { code: 'SPEC_INVALID', details: { field: 'a.quarantine' } };
      expect(() => stage.supervisor('s', { strategy, children: [poison] })).toThrow(
        expect.toSatisfy((error: object) => {
          expect(error).toMatchObject(refused);
          return true;
        }),
      );
      stage.start({ strategy, children: [] });
      expect(stage.add(poison)).toMatchObject({ reason: 'start_failed', error: { code: 'SPEC_INVALID' } });
    });

  for (const [what, spec] of [
    ['a temporary child has no next life', { quarantine: true, restart: 'temporary' }],
    ['it is a yes or a no', { quarantine: 'yes' as never }],
  ] as const)
    it(`${what}: refused, naming the field`, () => {
      const stage = createStage();
      expect(() => stage.supervisor('s', { children: [stage.child('a', spec)] })).toThrow(/a\.quarantine/);
    });

  it('the spec an operator reads says so, also by default', () => {
    const { supervision } = createLadder();
    expect(supervision.getChildSpec('top', 'a')).toMatchObject({ quarantine: true });
    expect(supervision.getChildSpec('top', 'b')).toMatchObject({ quarantine: false });
  });
});

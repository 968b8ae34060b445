import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasErlang, INSTALL, startOtp, type Otp } from './differential/otp.ts';
import { runOurs } from './differential/ours.ts';
import { REGRESSIONS } from './differential/regressions.ts';
import { type Leaf, type Script, scripts, type Sup } from './differential/script.ts';
import { difference, normaliseOurs } from './differential/trace.ts';

/** More and other trees: `node test/long/differential.ts --trees 50000 --seed N`. */
const TREES = 2_000;
const SEED = 20_261;

const leaf = (id: string, more: Partial<Leaf> = {}): Leaf => ({
  kind: 'leaf',
  id,
  restart: 'permanent',
  shutdown: 5_000,
  significant: false,
  answer: 'shutdown',
  ...more,
});
const sup = (id: string, more: Partial<Sup>): Sup => ({
  kind: 'sup',
  id,
  restart: 'permanent',
  shutdown: 'infinity',
  significant: false,
  strategy: 'one_for_one',
  intensity: 1,
  auto: 'never',
  children: [leaf('c0')],
  ...more,
});
const script = (more: Partial<Script>): Script => ({
  failures: [],
  tree: sup('root', {}),
  ops: [{ kind: 'stop' }],
  ...more,
});

/** Each rule by which a departure is taken out of the comparison, on a script in which it really departs. */
const DEPARTURES: readonly (readonly [string, Script])[] = [
  [
    'A restart is scheduled through the clock, and said to be',
    script({
      ops: [{ kind: 'exit', path: 'root/c0', reason: 'error' }, { kind: 'stop' }],
    }),
  ],
  ['A supervisor says why it ends, whatever the reason', script({})],
  [
    'A worker killed at its deadline ends with timeout',
    script({ tree: sup('root', { children: [leaf('c0', { answer: 'hang', shutdown: 1 })] }) }),
  ],
  [
    'A start asked for that fails is reported as well as answered',
    script({
      failures: [{ path: 'root/c0', from: 2, times: 1 }],
      ops: [
        { kind: 'terminate', path: 'root', id: 'c0' },
        { kind: 'restart', path: 'root', id: 'c0' },
        { kind: 'stop' },
      ],
    }),
  ],
  [
    'A supervisor that cannot start takes down at once what it had started',
    script({
      failures: [{ path: 'root/c1', from: 1, times: 1 }],
      tree: sup('root', { children: [leaf('c0', { answer: 'error' }), leaf('c1')] }),
    }),
  ],
  [
    'A supervisor that is exhausted says so when its children have stopped, not before',
    script({
      tree: sup('root', { intensity: 0, children: [leaf('c0'), leaf('c1')] }),
      ops: [{ kind: 'exit', path: 'root/c0', reason: 'error' }],
    }),
  ],
];

const title = hasErlang()
  ? 'the supervisor of Erlang/OTP and ours'
  : `the supervisor of Erlang/OTP and ours (erl is missing: ${INSTALL})`;

describe.skipIf(!hasErlang())(title, () => {
  let otp: Otp;
  beforeAll(() => {
    otp = startOtp();
  });
  afterAll(() => otp.close());

  const differs = async (ours: Script, theirs = ours): Promise<string | undefined> =>
    difference(ours, await runOurs(ours), await otp.run(theirs));

  it(`decide, start, stop and report alike in ${TREES} random trees`, { timeout: 180_000 }, async () => {
    const alike = fc.asyncProperty(scripts, async (each) => {
      expect(await differs(each)).toBeUndefined();
    });
    await fc.assert(alike, { seed: SEED, numRuns: TREES });
  });

  it.each(REGRESSIONS)('agree where they once did not: %s', async (_what, each) => {
    expect(await differs(each)).toBeUndefined();
  });

  it.each(DEPARTURES)('depart on purpose, and in nothing else: %s', async (_what, each) => {
    const ours = await runOurs(each);
    const theirs = await otp.run(each);
    expect(difference(each, ours, theirs)).toBeUndefined();
    expect(ours).not.toEqual(theirs);
    expect(normaliseOurs(ours, each)).not.toEqual(ours);
  });

  it('are told apart when one follows another strategy, another restart type or another order', async () => {
    const ops = [{ kind: 'exit', path: 'root/c0', reason: 'normal' }, { kind: 'stop' }] as const;
    const children = [leaf('c0'), leaf('c1')];
    const base = script({ ops, tree: sup('root', { children }) });
    const others = [
      sup('root', { children, strategy: 'one_for_all' }),
      sup('root', { children: [leaf('c0', { restart: 'transient' }), leaf('c1')] }),
      sup('root', { children: children.toReversed() }),
      sup('root', { children, intensity: 0 }),
    ];
    for (const tree of others) expect(await differs(base, { ...base, tree })).toMatch(/^step \d/);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emit, setup, type AnyActorLogic, type AnyActorRef, type InspectionEvent } from 'xstate';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBus } from '../../src/bus/index.ts';
import type { Report, TraceRecord } from '../../src/supervisor/index.ts';
import { createLog, logFacts } from '../../src/telemetry/log/index.ts';
import { factOf } from '../../src/telemetry/reports.ts';
import { createLab } from './lab.ts';

const OBSERVERS = [
  'an inspector',
  'an emit listener',
  'a subscriber of an actor',
  'the report sink',
  'a subscriber of the bus',
  'a log sink',
  'the dead letter sink',
  'a watcher of the registry',
  'the sink of failed watchers',
  'a trace sink',
  'who waits for the end of the root',
] as const;
type Observer = (typeof OBSERVERS)[number];

/** XState hands these throws to the process, as it does for any listener; the others stop where they are thrown. */
const ESCAPING: readonly Observer[] = ['an emit listener', 'a subscriber of an actor'];

let escaped: unknown[];
let others: NodeJS.UncaughtExceptionListener[];
let dir: string;
beforeEach(() => {
  // XState's development build also says on the console that the dead hear nothing.
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  dir = mkdtempSync(join(tmpdir(), 'observers-'));
  escaped = [];
  others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => void escaped.push(error));
});
afterEach(async () => {
  // XState throws in a macrotask of its own.
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.removeAllListeners('uncaughtException');
  for (const other of others) process.on('uncaughtException', other);
  rmSync(dir, { recursive: true, force: true });
  vi.restoreAllMocks();
});

const speaker = setup({
  types: { emitted: {} as { type: 'said' } },
  actions: {
    crash: () => {
      throw new Error('crashed');
    },
  },
}).createMachine({
  initial: 'up',
  states: { up: {}, down: { type: 'final' } },
  on: {
    say: { actions: emit({ type: 'said' }) },
    crash: { actions: 'crash' },
    'supervisor.shutdown': '.down',
  },
}) as AnyActorLogic;

/** One run, always the same, with every kind of observer twice: one that may be broken, and one that only listens. */
async function run(broken: Observer | undefined) {
  let threw = 0;
  const fails = (who: Observer): void => {
    if (who !== broken) return;
    threw += 1;
    throw new Error(`${who} is broken`);
  };
  const heard: string[] = [];
  const hear = (who: string, what: string): void => void heard.push(`${who}: ${what}`);

  const reports: Report[] = [];
  const letters: string[] = [];
  const lab = createLab({
    report(report) {
      reports.push(report);
      bus.publish(factOf(report), { path: report.path, incarnation: report.incarnation });
      fails('the report sink');
    },
    deadLetter(to, { type }) {
      letters.push(`${to} ${type}`);
      fails('the dead letter sink');
    },
    watcherFailed: () => fails('the sink of failed watchers'),
  });
  const { clock, supervision } = lab;
  const bus = createBus({ now: () => clock.now(), defer: clock.defer });
  bus.subscribe({ name: 'broken', deliver: () => fails('a subscriber of the bus') });
  bus.subscribe({ name: 'calm', deliver: ({ type }) => hear('bus', type) });
  const log = createLog({
    dir,
    level: 'silent',
    consoleLevel: 'trace',
    consoleStyle: 'json',
    stream: {
      write(line) {
        hear(
          'log',
          (JSON.parse(line) as { type: string }).type + (line.includes('crashed') ? ' crashed' : ''),
        );
        fails('a log sink');
        return true;
      },
    },
  });
  logFacts(bus, log);

  const listen = (ref: AnyActorRef): void => {
    ref.on('*', () => fails('an emit listener'));
    ref.on('*', ({ type }: { type: string }) => hear('emit', type));
    const observe = (call: (what: string) => void) => ({
      next: () => call('next'),
      error: () => call('error'),
      complete: () => call('complete'),
    });
    ref.subscribe(observe(() => fails('a subscriber of an actor')));
    ref.subscribe(observe((what) => hear('subscriber', what)));
  };
  const inspect = (event: InspectionEvent): void => {
    if (event.type === '@xstate.actor' && /^[ab]#/.test((event.actorRef as AnyActorRef).id))
      listen(event.actorRef as AnyActorRef);
    fails('an inspector');
  };
  const children = [{ id: 'a', logic: speaker }, lab.child('b')];
  const limits = { strategy: 'one_for_one', intensity: 3, periodMs: 1_000 } as const;
  const root = supervision.start(
    'top',
    { ...limits, children },
    {
      inspect,
      ended: () => fails('who waits for the end of the root'),
    },
  );
  root.system.inspect((event) => hear('inspector', event.type));
  for (const path of ['top/a', 'top/b']) {
    lab.registry.watch(path, {
      up: () => fails('a watcher of the registry'),
      down: () => fails('a watcher of the registry'),
    });
    lab.registry.watch(path, {
      up: (life) => hear('watcher', `${path} up ${life}`),
      down: (life, why) => hear('watcher', `${path} down ${life} ${why}`),
    });
  }
  const traced: TraceRecord[] = [];
  supervision.sys.trace('top/a', true, (record) => {
    traced.push(record);
    fails('a trace sink');
  });
  // So that the sink of failed watchers is called in every run.
  lab.registry.watch('top/c', {
    down: () => {
      throw new Error('always');
    },
  });

  await script(lab);
  log.close();
  return {
    threw,
    decisions: { reports: reports.map(plain), letters, order: lab.log, rootPhase: root.getSnapshot().phase },
    heard: { heard, traced },
    faults: supervision.sinkFaults(),
  };
}

/** Without what differs from run to run by nature: where a stack was taken. */
const plain = (report: Report): unknown =>
  JSON.parse(JSON.stringify(report, (name, value: unknown) => (name === 'stack' ? undefined : value)));

async function script(lab: ReturnType<typeof createLab>): Promise<void> {
  const { supervision, clock, tell } = lab;
  const turn = () => clock.advanceAsync(1);
  await turn();
  for (const step of [
    () => tell('a', 'say'),
    () => tell('a', 'crash'),
    () => tell('ghost', 'hello'),
    () => supervision.kill('top/b', { by: 'test' }),
    () => supervision.sys.suspend('top/a'),
    () => tell('a', 'say'),
    () => supervision.sys.resume('top/a'),
    () => supervision.admin('top', { type: 'terminate_child', id: 'b' }),
    () => supervision.admin('top', { type: 'restart_child', id: 'b' }),
    () => tell('b', 'crash'),
    () => tell('a', 'crash'),
    () => tell('a', 'crash'), // one too many: the supervisor gives up
    () => tell('a', 'say'),
  ]) {
    void step();
    await turn();
  }
}

const ADDED = /^(?:bus|log): bus\.subscriber_failed/;

describe('an observer that throws changes no decision, and no other observer loses a word:', () => {
  for (const who of OBSERVERS) {
    it(who, async () => {
      const calm = await run(undefined);
      const loud = await run(who);
      expect(loud.threw).toBeGreaterThan(0);
      expect(loud.decisions).toEqual(calm.decisions);
      // A failing subscriber of the bus is itself a fact, which the others hear in addition.
      const told = loud.heard.heard.filter((word) => !ADDED.test(word));
      expect(told).toEqual(calm.heard.heard);
      expect(loud.heard.traced).toEqual(calm.heard.traced);
    });
  }

  it('and the run is one in which something happens', async () => {
    const { decisions, heard } = await run(undefined);
    expect(decisions.reports.length).toBeGreaterThan(10);
    expect(decisions.letters).toEqual(expect.arrayContaining(['top/ghost hello', 'top/a say']));
    expect(decisions.rootPhase).toBe('ended');
    const kinds = new Set(heard.heard.map((word) => word.split(':')[0]));
    expect([...kinds].sort()).toEqual(['bus', 'emit', 'inspector', 'log', 'subscriber', 'watcher']);
    expect(heard.heard).toContain('log: supervisor.child_terminated crashed');
    expect(heard.heard.filter((word) => ADDED.test(word))).toEqual([]);
    expect(heard.traced.length).toBeGreaterThan(8);
  });
});

describe('what it threw is not lost either:', () => {
  for (const who of OBSERVERS) {
    const escapes = ESCAPING.includes(who);
    it(`${who} > ${escapes ? 'the process hears each' : 'stays where it is, counted or reported'}`, async () => {
      const { threw, faults } = await run(who);
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(escaped).toHaveLength(escapes ? threw : 0);
      const counted: readonly Observer[] = [
        'an inspector',
        'the report sink',
        'the dead letter sink',
        'the sink of failed watchers',
        'who waits for the end of the root',
      ];
      expect(faults.count).toBe(counted.includes(who) ? threw : 0);
      if (faults.count > 0) expect(faults.last?.error.message).toBe(`${who} is broken`);
    });
  }
});

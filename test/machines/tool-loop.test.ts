import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor, type AnyEventObject } from 'xstate';
import {
  beginLoop,
  callFingerprint,
  loopFact,
  noticeOf,
  resultFingerprint,
  stepLoop,
  toolLoopMachine,
} from '../../src/machines/tool-loop.ts';
import type { LoopState, ToolLoopInput } from '../../src/machines/tool-loop.ts';
import { loopPolicy, type LoopPolicyOptions } from '../../src/machines/tool-loop-detect.ts';
import { hash, stableJson } from '../../src/machines/tool-loop-fingerprint.ts';
import { replayLoop, weigh, type Said } from '../../src/machines/tool-loop-replay.ts';
import { refusalText, withoutWarning, withWarning } from '../../src/machines/tool-loop-words.ts';

type Step = readonly [toolName: string, input: unknown, output: unknown, isError?: boolean];

/** Lets a model make the calls of `script`, one after the other, until it is stopped. */
function play(script: (n: number) => Step, limit = 500, input: ToolLoopInput = {}) {
  const warned: number[] = [];
  let loop = beginLoop(input);
  let calls = 0;
  while (calls < limit && loop.state !== 'open') {
    const [toolName, args, output, isError = false] = script(calls);
    calls += 1;
    const weighed = weigh(loop, { toolName, input: args }, { output, isError }, calls);
    loop = weighed.loop;
    if (weighed.warning !== null) warned.push(calls);
  }
  const { tripped } = loop.memory;
  return { calls, warned, loop, detector: tripped?.detector, count: tripped?.count };
}
const look: Step = ['look', { path: 'a' }, 'nothing here'];

describe('a model that goes round in circles', () => {
  it('is warned and then stopped when it always makes the same call', () => {
    expect(play(() => look)).toMatchObject({
      calls: 20,
      warned: [10],
      detector: 'generic_repeat',
      count: 20,
    });
  });

  it('is stopped when it goes back and forth between two calls', () => {
    const between = play((n) => (n % 2 === 0 ? look : ['find', { name: 'b' }, []]));
    expect(between).toMatchObject({ calls: 20, warned: [10], detector: 'ping_pong', count: 20 });
    const { tripped } = between.loop.memory;
    expect([tripped?.toolName, tripped?.pairedToolName]).toEqual(['find', 'look']);
  });

  it.each([3, 4, 7, 25])('is stopped by the global breaker when it makes %i calls in turn', (size) => {
    const { calls, detector, warned } = play((n) => ['look', { path: n % size }, `it is ${n % size}`]);
    expect(detector).toBe('global_circuit_breaker');
    expect(calls).toBe(30 + size);
    expect(warned.length).toBeGreaterThan(0);
  });

  it('is stopped when a poll says the same for ever, by the detector of polls', () => {
    for (const [toolName, input] of [
      ['command_status', { id: 7 }],
      ['process', { action: 'poll', id: 7 }],
      ['process', '{"action":"log"}'],
    ] as const) {
      const { calls, detector } = play(() => [toolName, input, { status: 'running' }]);
      expect([calls, detector]).toEqual([20, 'known_poll_no_progress']);
    }
  });

  it('is stopped when the same failure only tells another time, duration and process', () => {
    const failing = play((n) => [
      'run',
      { command: 'make' },
      `[2026-02-03T10:${10 + n}:00Z] pid ${4_000 + n}: attempt ${n} failed after ${n * 13} ms (12:00:${10 + n})`,
      true,
    ]);
    expect([failing.calls, failing.detector]).toEqual([20, 'generic_repeat']);
  });

  it('is stopped when its results differ in nothing but what is new every time', () => {
    const sent = play((n) => ['send', { to: 'x' }, { ok: true, messageId: `m${n}`, durationMs: n, ts: n }]);
    expect(sent.calls).toBe(20);
    const untrusted = play((n) => ['fetch', {}, `<<<EXTERNAL_UNTRUSTED_CONTENT id="${n}">>> hello`]);
    expect(untrusted.calls).toBe(20);
  });

  it('is stopped however the keys of its input are ordered, and when the JSON comes as text', () => {
    const shuffled = play((n) => [
      'look',
      n % 2 === 0 ? { a: 1, b: [2] } : '{"b":[2],"a":1}',
      n % 3 === 0 ? '{"x":1,"y":2}' : { y: 2, x: 1 },
    ]);
    expect([shuffled.calls, shuffled.detector]).toEqual([20, 'generic_repeat']);
  });

  it('is stopped by the same call among others, as long as the window holds it', () => {
    const among = play((n) => (n % 3 === 2 ? ['other', { n }, n] : look));
    expect(among.detector).toBe('generic_repeat');
    expect(among.calls).toBeLessThan(31);
  });

  it('is stopped later when the detector of its loop is off, and not at all when all of it is', () => {
    const off = { detectors: { genericRepeat: false, knownPollNoProgress: false, pingPong: false } };
    expect(play(() => look, 500, { policy: off })).toMatchObject({
      calls: 30,
      detector: 'global_circuit_breaker',
    });
    expect(play(() => look, 500, { policy: { enabled: false } })).toMatchObject({ calls: 500, warned: [] });
  });

  it('is stopped where the operator says', () => {
    const policy = { warningThreshold: 2, criticalThreshold: 4, globalCircuitBreakerThreshold: 9 };
    expect(play(() => look, 500, { policy })).toMatchObject({ calls: 4, warned: [2] });
    const wide = { criticalThreshold: 60, globalCircuitBreakerThreshold: 90 };
    expect(play(() => look, 500, { policy: wide })).toMatchObject({ calls: 60 });
  });
});

describe('a model that gets on', () => {
  it.each([
    ['a known poll', 'command_status', (n: number) => ({ status: 'running', done: n })],
    ['a process that is polled', 'process', (n: number) => ({ status: 'running', text: `line ${n}` })],
    ['any tool', 'job', (n: number) => `${n} of 500 done`],
    ['a tool that swings between two answers', 'sensor', (n: number) => n % 2],
    ['a clock', 'now', (n: number) => ({ timestamp: n })],
  ])('is never stopped: %s whose answer changes', (_, toolName, output) => {
    expect(play((n) => [toolName, { action: 'poll' }, output(n)])).toMatchObject({ calls: 500 });
  });

  it('is not even warned when what it polls is known for it', () => {
    const poll = (n: number): Step => ['job', { id: 1 }, `${n} done`];
    expect(play(poll, 300, { policy: { pollTools: ['job'] } }).warned).toEqual([]);
    // Of any other tool it is told three times at most, since the calls alone look like a loop.
    expect(play(poll, 300).warned).toEqual([10, 20, 30]);
  });

  it('is never stopped when it polls, waits, polls, waits', () => {
    const waiting = play((n) => (n % 2 === 0 ? ['command_status', {}, n] : ['sleep', { ms: 500 }, 'slept']));
    expect(waiting.calls).toBe(500);
  });

  it('is never stopped while every input is another', () => {
    expect(play((n) => ['read', { line: n }, 'the same'])).toMatchObject({ calls: 500, warned: [] });
  });

  it('starts from nothing when the answer changes just before the end', () => {
    const late = play((n) => ['job', {}, n < 19 ? 'waiting' : n === 19 ? 'half' : 'done'], 38);
    expect(late.loop.state).not.toBe('open');
    expect(play((n) => ['job', {}, n < 19 ? 'waiting' : 'done'], 500).calls).toBe(39);
  });
});

describe('after the breaker opened', () => {
  const opened = (): LoopState => play(() => look).loop;
  const cooled = () => stepLoop(opened(), { type: 'loop.cooled', atMs: 100 });
  const again = (loop: LoopState, [toolName, input, output]: Step) =>
    weigh(loop, { toolName, input }, { output, isError: false }).loop;

  it('asked calls are counted and not let through', () => {
    const call = callFingerprint('look', { path: 'a' });
    const asked = stepLoop(opened(), { type: 'call.asked', call, atMs: 30 });
    expect([asked.state, asked.memory.refused]).toEqual(['open', 1]);
    expect(asked.memory.openedAt).toBe(20);
  });

  it('a person lets it try once more, and the same again opens it at once', () => {
    expect(cooled().state).toBe('half_open');
    const same = again(cooled(), look);
    expect([same.state, same.memory.tripped?.count]).toEqual(['open', 21]);
    expect(loopFact(same.memory)).toMatchObject({ level: 'critical', action: 'block', count: 21 });
  });

  it('closes when the call tells something new, or the model makes another one', () => {
    expect(again(cooled(), ['look', { path: 'a' }, 'a file!'])).toMatchObject({
      state: 'closed',
      memory: { suspects: [], tripped: null },
    });
    const other = callFingerprint('find', {});
    expect(stepLoop(cooled(), { type: 'call.asked', call: other, atMs: 0 }).state).toBe('closed');
  });

  it('remembers each side of a ping-pong, and every call of a larger circle', () => {
    const pingPong = play((n) => ['look', n % 2, 'same']).loop;
    const circle = play((n) => ['look', n % 5, 'same']).loop;
    expect([pingPong.memory.suspects.length, circle.memory.suspects.length]).toEqual([2, 5]);
    const half = stepLoop(circle, { type: 'loop.cooled', atMs: 0 });
    expect(again(half, ['look', 3, 'same']).state).toBe('open');
  });

  it('a reset forgets it', () => {
    expect(stepLoop(opened(), { type: 'loop.reset' })).toEqual(beginLoop());
  });
});

describe('what is said', () => {
  it('names the tool, the count and the detector, to the model and to whoever asked', () => {
    const { memory } = play(() => look).loop;
    expect(noticeOf(memory.tripped!, memory.policy)).toBe(
      'I stopped here: the tool "look" was called 20 times with the same input and gave the same result each time (generic_repeat).',
    );
    const warned = play(() => look, 10).loop.memory;
    expect(loopFact(warned)).toEqual({
      type: 'tool.loop',
      toolName: 'look',
      level: 'warning',
      action: 'warn',
      detector: 'generic_repeat',
      count: 10,
      message: expect.stringMatching(/10 times.*\(generic_repeat\).*at 20 this turn is ended/),
    });
  });

  it('a live actor emits one fact for the warning and one for the end, with what it is about', () => {
    const trace = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) };
    const actor = createActor(toolLoopMachine, { input: { about: { sessionKey: 's', trace } } });
    const facts: AnyEventObject[] = [];
    actor.on('tool.loop', (fact) => void facts.push(fact));
    actor.start();
    const record = { toolName: 'look', call: 'look:1', result: 'same', poll: false };
    for (let n = 0; n < 25; n += 1) actor.send({ type: 'call.answered', ...record, atMs: n });
    expect(facts).toMatchObject([
      { level: 'warning', count: 10, sessionKey: 's', trace },
      { level: 'critical', count: 20 },
    ]);
    actor.send({ type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 1 });
    expect(actor.getSnapshot().output).toEqual({ exit: 'shutdown' });
  });
});

describe('fingerprints', () => {
  it('do not depend on the order of keys, and tell different values apart', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        fc.pre(!/\d{16}/.test(JSON.stringify(value))); // see the long numbers below
        const turned = Object.fromEntries(Object.entries(value).toReversed());
        expect(stableJson(turned)).toBe(stableJson(value));
        expect(callFingerprint('t', JSON.stringify(value))).toBe(callFingerprint('t', turned));
      }),
    );
    const hashes = new Set(Array.from({ length: 20_000 }, (_, n) => hash(`value ${n}`)));
    expect(hashes.size).toBe(20_000);
    expect(hash('')).toMatch(/^[\da-f]{16}$/);
  });

  it('exist for whatever a tool is given or says, and never throw', () => {
    const cycle: Record<string, unknown> = { a: 1 };
    cycle['self'] = cycle;
    let deep: unknown = 1;
    for (let n = 0; n < 5_000; n += 1) deep = [deep];
    const odd = [cycle, deep, 1n, undefined, null, () => 1, Symbol('s'), Number.NaN, new Date(5), '{', '[1,'];
    for (const value of odd)
      expect(resultFingerprint({ toolName: 't', input: value }, { output: value, isError: false })).toMatch(
        /./,
      );
    expect(callFingerprint('t', new Date(5))).not.toBe(callFingerprint('t', new Date(6)));
  });

  it('of a result with our warning behind it are those without', () => {
    const call = { toolName: 't', input: {} };
    for (const output of ['plain', 'two\n\nparagraphs', { json: [1, 0.1 + 0.2] }, 5, true, null]) {
      const text = typeof output === 'string' ? output : JSON.stringify(output);
      const warned = { output: withWarning(text, 'Careful.'), isError: false };
      expect(resultFingerprint(call, warned)).toBe(resultFingerprint(call, { output, isError: false }));
      expect(withoutWarning(warned.output)).toBe(text);
    }
  });

  it('tell long numbers apart that JSON would round', () => {
    const of = (output: unknown) =>
      resultFingerprint({ toolName: 't', input: {} }, { output, isError: false });
    expect(of('12345678901234567890')).not.toBe(of('12345678901234567891'));
    expect(of('{"id":12345678901234567890}')).not.toBe(of('{"id":12345678901234567891}'));
  });

  it('tell a failure from an answer that reads the same', () => {
    const call = { toolName: 't', input: {} };
    const fingerprints = [true, false].map((isError) => resultFingerprint(call, { output: 'x', isError }));
    expect(new Set(fingerprints).size).toBe(2);
  });
});

describe('a policy', () => {
  it.each<[LoopPolicyOptions, object]>([
    [{}, { enabled: true, historySize: 30, warningThreshold: 10, criticalThreshold: 20 }],
    [
      { warningThreshold: 0, criticalThreshold: 1.5 },
      { warningThreshold: 10, criticalThreshold: 20 },
    ],
    [{ warningThreshold: 25 }, { criticalThreshold: 26, globalCircuitBreakerThreshold: 30 }],
    [{ criticalThreshold: 40 }, { globalCircuitBreakerThreshold: 41, historySize: 40 }],
    [{ detectors: { pingPong: false } }, { detectors: { genericRepeat: true, pingPong: false } }],
  ])('%o becomes %o', (options, policy) => expect(loopPolicy(options)).toMatchObject(policy));
});

describe('a conversation that is replayed', () => {
  const step = fc.record({
    tool: fc.constantFrom('a', 'b'),
    input: fc.constantFrom(1, 2),
    output: fc.constantFrom('x', 'y', { z: 1 }),
    person: fc.integer({ min: 0, max: 30 }).map((n) => n === 0),
  });

  it('comes to the same as calls that pass one by one, warnings in its results or not', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let loop = beginLoop();
        const said: Said[] = [];
        for (const [at, { tool, input, output, person }] of steps.entries()) {
          if (person) {
            loop = stepLoop(loop, { type: 'loop.cooled', atMs: 0 });
            said.push({ kind: 'person' });
          }
          if (loop.state === 'open') break;
          const call = { toolName: tool, input };
          const weighed = weigh(loop, call, { output, isError: false });
          loop = weighed.loop;
          const text = typeof output === 'string' ? output : JSON.stringify(output);
          const seen = weighed.warning === null ? output : withWarning(text, weighed.warning);
          const id = `c${at % 3}`;
          said.push({ kind: 'call', id, ...call }, { kind: 'result', id, output: seen, isError: false });
        }
        const replayed = replayLoop({}, said).loop;
        expect(replayed.state).toBe(loop.state);
        expect(replayed.memory.history).toEqual(loop.memory.history);
      }),
    );
  });

  it('leaves out results without a call, and calls that were refused because of a loop', () => {
    const refused = { output: refusalText(play(() => look).loop.memory.tripped!), isError: true };
    const said: Said[] = [
      { kind: 'result', id: 'nobody', output: 'x', isError: false },
      { kind: 'call', id: 'c', toolName: 'look', input: {} },
      { kind: 'result', id: 'c', ...refused },
    ];
    expect(replayLoop({}, said).loop.memory.history).toEqual([]);
  });
});

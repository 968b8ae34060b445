import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decideAfterEnd,
  type Ending,
  LAUNCH_POLICY,
  type LaunchHistory,
  NO_HISTORY,
  type Verdict,
} from '../../src/cli/launch-decision.ts';

const exit = (code: number): Ending => ({ kind: 'exit', code });
const signal = (name: string): Ending => ({ kind: 'signal', signal: name });
const at = { nowMs: 0, upMs: 5_000, stopping: false, random: 0 };

describe('what follows the end of a life', () => {
  test.each<[string, Ending, Verdict]>([
    ['0 stops', exit(0), { action: 'stop', code: 0 }],
    ['78 stops with 78', exit(78), { action: 'stop', code: 78 }],
    ['75 restarts at once', exit(75), { action: 'restart', delayMs: 0 }],
    ['70 restarts after the first backoff', exit(70), { action: 'restart', delayMs: 100 }],
    ['1 restarts after the first backoff', exit(1), { action: 'restart', delayMs: 100 }],
    ['SIGKILL restarts after the first backoff', signal('SIGKILL'), { action: 'restart', delayMs: 100 }],
    [
      'SIGTERM from a stranger restarts after the first backoff',
      signal('SIGTERM'),
      { action: 'restart', delayMs: 100 },
    ],
    [
      'a frozen loop restarts after the first backoff',
      { kind: 'stuck' },
      { action: 'restart', delayMs: 100 },
    ],
    [
      'a process that cannot be started is tried again',
      { kind: 'unspawnable', reason: 'EAGAIN' },
      { action: 'restart', delayMs: 100 },
    ],
  ])('%s', (_title, ending, verdict) => {
    expect(decideAfterEnd(NO_HISTORY, ending, at).verdict).toEqual(verdict);
  });

  test.each<[string, Ending, number]>([
    ['0 is 0', exit(0), 0],
    ['a planned restart that lost against a stop is 0', exit(75), 0],
    ['an early life that dies of SIGTERM has stopped', signal('SIGTERM'), 0],
    ['an early life that dies of SIGINT has stopped', signal('SIGINT'), 0],
    ['an internal fault stays visible', exit(70), 70],
    ['a configuration error stays visible', exit(78), 78],
    ['SIGKILL from a stranger is a fault', signal('SIGKILL'), 70],
    ['overrunning the deadline is a fault', { kind: 'overran' }, 70],
    ['a frozen loop is a fault', { kind: 'stuck' }, 70],
  ])('while stopping nothing is started again: %s', (_title, ending, code) => {
    expect(decideAfterEnd(NO_HISTORY, ending, { ...at, stopping: true }).verdict).toEqual({
      action: 'stop',
      code,
    });
  });
});

describe('backoff', () => {
  const delays = (lives: number, upMs: number, random = 0): (number | string)[] => {
    let history: LaunchHistory = NO_HISTORY;
    return Array.from({ length: lives }, (_, i) => {
      // Far apart, so that no crash loop is seen.
      const decision = decideAfterEnd(history, exit(70), {
        nowMs: i * 100_000,
        upMs,
        stopping: false,
        random,
      });
      history = decision.history;
      return decision.verdict.action === 'restart' ? decision.verdict.delayMs : decision.verdict.action;
    });
  };

  test('doubles from 100 ms to 30 s', () => {
    expect(delays(11, 10)).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  });

  test('is spread by up to a fifth', () => {
    expect(delays(3, 10, 0.5)).toEqual([110, 220, 440]);
  });

  test('begins anew after a life of a minute', () => {
    const worn: LaunchHistory = { attempt: 7, uncleanAt: [] };
    expect(decideAfterEnd(worn, exit(70), { ...at, upMs: 60_000 }).verdict).toEqual({
      action: 'restart',
      delayMs: 100,
    });
    expect(decideAfterEnd(worn, exit(70), { ...at, upMs: 59_999 }).verdict).toEqual({
      action: 'restart',
      delayMs: 12_800,
    });
  });

  test('a planned restart leaves it where it was', () => {
    expect(decideAfterEnd({ attempt: 3, uncleanAt: [] }, exit(75), at).history.attempt).toBe(3);
  });
});

describe('crash loop', () => {
  const after = (ends: number, gapMs: number, ending: Ending, upMs: number): Verdict => {
    let history: LaunchHistory = NO_HISTORY;
    let verdict: Verdict = { action: 'stop', code: -1 };
    for (let i = 0; i < ends; i += 1) {
      ({ verdict, history } = decideAfterEnd(history, ending, {
        nowMs: i * gapMs,
        upMs,
        stopping: false,
        random: 0,
      }));
    }
    return verdict;
  };

  test('ten unclean ends within 300 s are borne, the eleventh is not', () => {
    expect(after(10, 29_999, exit(70), 10).action).toBe('restart');
    expect(after(11, 29_999, exit(70), 10)).toEqual({ action: 'give-up', code: 70, uncleanEnds: 11 });
  });

  test('unclean ends further apart are borne for ever', () => {
    expect(after(50, 30_000, exit(70), 10).action).toBe('restart');
  });

  test('planned restarts of lives that worked never count', () => {
    expect(after(50, 1_000, exit(75), 1_000).action).toBe('restart');
  });

  test('a restart loop, where every life asks for a restart at once, ends too', () => {
    expect(after(11, 500, exit(75), 999)).toEqual({ action: 'give-up', code: 70, uncleanEnds: 11 });
  });

  test('whatever happens, restarts within any period are bounded and delays stay within the maximum', () => {
    const ending = fc.oneof(
      fc
        .integer({ min: 1, max: 255 })
        .filter((code) => code !== 78 && code !== 75)
        .map(exit),
      fc.constantFrom('SIGKILL', 'SIGSEGV', 'SIGABRT').map(signal),
      fc.constant<Ending>({ kind: 'stuck' }),
    );
    const life = fc.record({
      ending,
      upMs: fc.integer({ min: 0, max: 200_000 }),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(life, { maxLength: 60 }), (lives) => {
        let history: LaunchHistory = NO_HISTORY;
        let nowMs = 0;
        const restartsAt: number[] = [];
        for (const { ending, upMs, random } of lives) {
          nowMs += upMs;
          const decision = decideAfterEnd(history, ending, { nowMs, upMs, stopping: false, random });
          history = decision.history;
          if (decision.verdict.action !== 'restart') break;
          expect(decision.verdict.delayMs).toBeLessThanOrEqual(LAUNCH_POLICY.maxMs * 1.2);
          restartsAt.push(nowMs);
          nowMs += decision.verdict.delayMs;
        }
        const busiest = Math.max(
          0,
          ...restartsAt.map(
            (from) => restartsAt.filter((ms) => ms >= from && ms - from < LAUNCH_POLICY.periodMs).length,
          ),
        );
        expect(busiest).toBeLessThanOrEqual(LAUNCH_POLICY.intensity);
      }),
    );
  });
});

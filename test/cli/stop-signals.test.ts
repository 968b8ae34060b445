import { expect, test } from 'vitest';
import { countFault } from '../../src/cli/fault-budget.ts';
import { translateSignals } from '../../src/cli/stop-signals.ts';

function recorded(): { said: string[]; at: (ms: number) => void; send: (signal: NodeJS.Signals) => void } {
  const said: string[] = [];
  const note = (what: string) => (reason: string) => void said.push(`${what} ${reason}`);
  let nowMs = 0;
  const translator = translateSignals(
    { stop: note('stop'), fastStop: note('fast'), restart: note('restart'), reload: note('reload') },
    () => nowMs,
  );
  return { said, at: (ms) => void (nowMs = ms), send: (signal) => translator.onSignal(signal) };
}

test('a stop that reaches the process twice at once, directly and through the launcher, is one stop', () => {
  const signals = recorded();
  signals.send('SIGTERM');
  signals.at(199);
  signals.send('SIGTERM');
  expect(signals.said).toEqual(['stop SIGTERM']);
});

test('a later second stop is a fast stop', () => {
  const signals = recorded();
  signals.send('SIGINT');
  signals.at(200);
  signals.send('SIGTERM');
  expect(signals.said).toEqual(['stop SIGINT', 'fast a second stop signal (SIGTERM)']);
});

test('SIGUSR1 and SIGUSR2 ask for a planned restart, SIGHUP for a new look at the configuration', () => {
  const signals = recorded();
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const) signals.send(signal);
  expect(signals.said).toEqual(['restart SIGUSR1', 'restart SIGUSR2', 'reload SIGHUP']);
});

test('the process survives five errors without an owner in a minute, not six', () => {
  let faultsAt: readonly number[] = [];
  const spent = [0, 10_000, 20_000, 30_000, 40_000, 59_999].map((nowMs) => {
    const counted = countFault(faultsAt, nowMs);
    faultsAt = counted.faultsAt;
    return counted.spent;
  });
  expect(spent).toEqual([false, false, false, false, false, true]);
});

test('the process survives any number of such errors that come slowly', () => {
  let faultsAt: readonly number[] = [];
  for (let i = 0; i < 100; i += 1) {
    const counted = countFault(faultsAt, i * 12_000);
    expect(counted.spent).toBe(false);
    faultsAt = counted.faultsAt;
  }
  expect(faultsAt.length).toBeLessThanOrEqual(5);
});

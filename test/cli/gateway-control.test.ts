import { afterEach, expect, test } from 'vitest';
import { GatewayControl, type Runnable } from '../../src/cli/gateway-control.ts';
import { trapFaults } from '../../src/cli/fault-budget.ts';

function promised<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A gateway handle that notes what is asked of it. */
function handle(startError?: Error) {
  const asked: string[] = [];
  const start = promised<void>();
  const ended = promised<{ code: 0 | 70 | 75; reason: string }>();
  const gateway: Runnable = {
    start: () => (startError ? Promise.reject(startError) : start.promise),
    stop: (reason, options) => {
      asked.push(`${options?.fast ? 'fast stop' : 'stop'}: ${reason}`);
      ended.resolve({ code: 0, reason });
      return Promise.resolve({ clean: true });
    },
    requestStop: (reason) => void asked.push(`stop: ${reason}`),
    requestRestart: (reason) => void asked.push(`restart: ${reason}`),
    ended: ended.promise,
  };
  return { gateway, asked, started: start.resolve, end: ended.resolve };
}

function control(allowSignal = true) {
  const said: string[] = [];
  const exits: number[] = [];
  const subject = new GatewayControl({
    say: (line) => void said.push(line),
    stopMs: 60_000,
    reload: () => void said.push('reload'),
    allowSignal: () => allowSignal,
    exit: (code) => void exits.push(code),
  });
  return { subject, said, exits };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('the process ends with the code of its gateway, and names the reason when it was no stop', async () => {
  const { gateway, started, end } = handle();
  const { subject, said } = control();
  const run = subject.run(gateway, () => said.push('started'));
  started();
  end({ code: 75, reason: 'SIGUSR2' });
  expect(await run).toBe(75);
  expect(said).toEqual(['started', 'the gateway ended with 75: SIGUSR2']);
});

test('a stop asked for while the gateway starts is asked of it when it has started, and beats a restart', async () => {
  const { gateway, asked, started } = handle();
  const { subject } = control();
  void subject.run(gateway, () => undefined);
  subject.restart('SIGUSR2');
  subject.stop('SIGTERM');
  subject.restart('SIGUSR2');
  expect(asked).toEqual([]);
  started();
  await settle();
  expect(asked).toEqual(['stop: SIGTERM']);
});

test('a restart by signal is ignored, and said so, where the configuration forbids it', async () => {
  const { gateway, asked, started } = handle();
  const { subject, said } = control(false);
  void subject.run(gateway, () => undefined);
  started();
  await settle();
  subject.restart('SIGUSR2');
  subject.requestRestart('the configuration changed');
  expect(asked).toEqual(['restart: the configuration changed']);
  expect(said).toEqual(['SIGUSR2 is ignored: restart.allowSignal is false']);
});

test('a gateway that cannot start is stopped, and the error goes to whoever started it', async () => {
  const { gateway, asked } = handle(new Error('no store'));
  await expect(control().subject.run(gateway, () => undefined)).rejects.toThrow('no store');
  expect(asked).toEqual(['fast stop: it could not start']);
});

test('a second stop signal makes it a fast stop, which still ends with 0', async () => {
  const { gateway, asked, started } = handle();
  const { subject, exits } = control();
  const run = subject.run(gateway, () => undefined);
  started();
  await settle();
  subject.stop('SIGINT');
  subject.fastStop('a second stop signal (SIGINT)');
  expect(await run).toBe(0);
  expect(asked).toEqual(['stop: SIGINT', 'fast stop: a second stop signal (SIGINT)']);
  expect(exits).toEqual([]);
});

test('a fast stop before the gateway is up ends the process at once', () => {
  const { subject, exits } = control();
  subject.stop('SIGINT');
  subject.fastStop('a second stop signal (SIGINT)');
  expect(exits).toEqual([0]);
});

test('a gateway whose launcher is gone stops gracefully', async () => {
  const { gateway, asked, started } = handle();
  const { subject } = control();
  void subject.run(gateway, () => undefined);
  started();
  await settle();
  subject.orphaned();
  expect(asked).toEqual(['stop: its launcher is gone']);
});

test('a gateway with too many errors without an owner stops fast, and the process ends with 70', async () => {
  const { gateway, asked, started } = handle();
  const { subject, said } = control();
  const run = subject.run(gateway, () => undefined);
  started();
  await settle();
  subject.spent(6);
  expect(await run).toBe(70);
  expect(asked).toEqual(['fast stop: too many errors without an owner']);
  expect(said.join()).toContain('COPPICE_FAULT_BUDGET_SPENT');
});

test('a stray error is one line that says what, where and whose', () => {
  const { subject, said } = control();
  subject.report(
    {
      name: 'TypeError',
      message: 'x is not a function',
      stack: 'TypeError: x\n    at f (a.ts:1:2)\n    at g',
    },
    'uncaughtException',
    'telegram#7',
  );
  expect(said).toEqual([
    'uncaughtException: TypeError: x is not a function (it came from telegram#7, which fails) at f (a.ts:1:2)',
  ]);
});

const removers: (() => void)[] = [];
afterEach(() => removers.splice(0).forEach((remove) => remove()));

test('the trap is told once when its budget is spent, and reports every error', () => {
  const reported: string[] = [];
  const spent: number[] = [];
  removers.push(
    trapFaults(
      {
        report: (error, source) => void reported.push(`${source} ${error.message}`),
        spent: (count) => void spent.push(count),
      },
      { limit: 2, periodMs: 60_000 },
    ),
  );
  const trap = process.listeners('uncaughtException').at(-1)!;
  for (let i = 0; i < 5; i += 1) trap(new Error(String(i)), 'uncaughtException');
  expect(reported).toHaveLength(5);
  expect(spent).toEqual([3]);
});

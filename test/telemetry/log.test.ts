import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBus } from '../../src/bus/index.ts';
import { createLog, logFacts } from '../../src/telemetry/log/index.ts';
import type { LogOptions } from '../../src/telemetry/log/index.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 31, 12);
let dir: string;
let now: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'coppice-log-'));
  now = START;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function rig(options: Partial<LogOptions> & { tty?: boolean } = {}) {
  const shown: string[] = [];
  const stream = {
    write: (text: string) => {
      shown.push(text);
      return true;
    },
    isTTY: options.tty ?? false,
  };
  const log = createLog({
    dir,
    level: 'info',
    consoleLevel: 'silent',
    consoleStyle: 'json',
    now: () => now,
    stream,
    env: {},
    ...options,
  });
  return { log, shown, stream };
}
const files = () => readdirSync(dir).toSorted();
const lines = (name = 'coppice-2026-01-31.log') =>
  readFileSync(join(dir, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the file', () => {
  test('holds one JSON line per message, at once, in a private file', () => {
    const { log } = rig();
    log.logger.info({ path: 'gateway/core', n: 1 }, 'hello');
    log.logger.debug('too fine');
    expect(lines()).toMatchObject([{ level: 'info', time: START, msg: 'hello', path: 'gateway/core', n: 1 }]);
    expect(statSync(join(dir, 'coppice-2026-01-31.log')).mode & 0o777).toBe(0o600);
    log.close();
  });

  test('gets no secret, whichever way it comes in', () => {
    const { log } = rig({ secrets: ['configured-value'], redactPatterns: ['CUST-\\d+'] });
    const key = 'sk-abcdefghijklmnop1234';
    log.logger.info(
      { headers: { authorization: 'x1y2z3' }, nested: [{ apiKey: 'x1y2z3' }] },
      `with ${key} for CUST-7`,
    );
    log.logger.child({ token: 'x1y2z3', note: key }).warn('child');
    log.logger.error(new Error(`failed with ${key}`, { cause: new Error('configured-value') }));
    log.logger.info('format %s %j', key, { password: 'x1y2z3' });
    log.close();
    const text = readFileSync(join(dir, 'coppice-2026-01-31.log'), 'utf8');
    expect(text).not.toMatch(/x1y2z3|sk-abc|configured-value|CUST-7/);
    expect(lines()).toHaveLength(4);
    expect(lines()[2]).toMatchObject({ err: { name: 'Error', cause: { message: '[redacted]' } } });
  });

  test('is a new one every day, and a full one is put aside with a number', () => {
    const { log } = rig({ maxFileMb: 0.001 });
    for (let n = 0; n < 20; n += 1) log.logger.info({ n }, 'x'.repeat(150));
    now += DAY;
    log.logger.info('tomorrow');
    log.close();
    expect(files()).toContain('coppice-2026-02-01.log');
    expect(files()).toContain('coppice-2026-01-31.1.log');
    for (const name of files()) expect(statSync(join(dir, name)).size).toBeLessThanOrEqual(1_049);
    expect(files().flatMap((name) => lines(name))).toHaveLength(21);
  });

  test('never takes more than the total bound: the oldest go first, others’ files stay', () => {
    writeFileSync(join(dir, 'somebody-else.log'), 'mine');
    const { log } = rig({ maxFileMb: 0.01, maxTotalMb: 0.05 });
    const used = () =>
      files()
        .filter((name) => name.startsWith('coppice'))
        .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
    for (let n = 0; n < 3_000; n += 1) {
      log.logger.info({ n }, 'y'.repeat(100));
      if (n % 500 === 0) {
        now += DAY;
        expect(used()).toBeLessThanOrEqual(0.05 * 1_048_576);
      }
    }
    log.logger.info('the last line');
    log.close();
    expect(used()).toBeLessThanOrEqual(0.05 * 1_048_576);
    expect(files()).toContain('somebody-else.log');
    expect(
      files()
        .flatMap((name) => (name.startsWith('coppice') ? lines(name) : []))
        .at(-1),
    ).toMatchObject({ msg: 'the last line' });
  });

  test('that cannot be written costs its lines, is told once, and is taken up again', () => {
    const errors: unknown[] = [];
    writeFileSync(join(dir, 'plug'), '');
    const { log } = rig({ dir: join(dir, 'plug', 'logs'), onError: (error) => errors.push(error) });
    for (let n = 0; n < 10; n += 1) log.logger.info({ n }, 'lost');
    expect(errors).toHaveLength(1);
    expect(log.stats()).toMatchObject({ written: 0, failed: 10 });
    rmSync(join(dir, 'plug'));
    now += 2_000;
    log.logger.info('back');
    expect(log.stats()).toMatchObject({ written: 1 });
    log.close();
  });

  test('is not written through a link that somebody planted', () => {
    writeFileSync(join(dir, 'victim'), 'untouched');
    symlinkSync(join(dir, 'victim'), join(dir, 'coppice-2026-01-31.log'));
    const errors: unknown[] = [];
    const { log } = rig({ onError: (error) => errors.push(error) });
    log.logger.info('no');
    log.close();
    expect(readFileSync(join(dir, 'victim'), 'utf8')).toBe('untouched');
    expect(errors).toHaveLength(1);
  });

  test('has every line of a process that was killed with SIGKILL', async () => {
    const program = `
      import { createLog } from ${JSON.stringify(new URL('../../src/telemetry/log/index.ts', import.meta.url).href)};
      const log = createLog({ dir: ${JSON.stringify(dir)}, level: 'info', consoleLevel: 'silent', consoleStyle: 'json' });
      for (let n = 0; n < 500; n += 1) log.logger.info({ n }, 'line');
      process.stdout.write('written');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(
      files()
        .flatMap((name) => lines(name))
        .map((line) => line['n']),
    ).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });
});

describe('a burst of identical lines', () => {
  test('keeps its first and last line and the count, and the lines of others in between', () => {
    const { log } = rig();
    for (let n = 0; n < 10_000; n += 1) {
      now += 0;
      log.logger.error({ path: 'a' }, 'same fault');
      if (n % 5_000 === 0) log.logger.info({ n }, 'other');
    }
    now += 11_000;
    log.logger.info('later');
    log.close();
    expect(lines().map((line) => [line['msg'], line['repeated']])).toEqual([
      ['same fault', undefined],
      ['other', undefined],
      ['other', undefined],
      ['same fault', 9_999],
      ['later', undefined],
    ]);
    expect(log.stats().collapsed).toBe(9_999);
  });

  test('that goes on for ten minutes costs two lines a window, not one a fault', () => {
    const { log } = rig();
    for (let n = 0; n < 60_000; n += 1) {
      now += 10;
      log.logger.error('same fault');
    }
    log.close();
    expect(lines().length).toBeLessThan(150);
    expect(lines().reduce((sum, line) => sum + Number(line['repeated'] ?? 1), 0)).toBe(60_000);
  });
});

describe('the console', () => {
  test.each(['pretty', 'compact', 'json'] as const)(
    'shows one readable line in style %s, without colour when it is no terminal',
    (consoleStyle) => {
      const { log, shown } = rig({ consoleLevel: 'warn', consoleStyle });
      log.logger.info('quiet');
      log.logger.warn({ path: 'gateway/edge', data: { delayMs: 5 } }, 'loud');
      log.close();
      expect(shown).toHaveLength(1);
      expect(shown[0]).toMatch(/loud/);
      expect(shown[0]).toMatch(/gateway\/edge/);
      expect(shown[0]).toMatch(/delayMs/);
      expect(shown[0]).not.toContain('\u001b');
      expect(shown[0]?.endsWith('\n')).toBe(true);
    },
  );

  test.each([
    ['a terminal', {}, true],
    ['a terminal with NO_COLOR', { NO_COLOR: '1' }, false],
  ])('on %s colours: %s %s', (_name, env, coloured) => {
    for (const consoleStyle of ['pretty', 'compact'] as const) {
      const { log, shown } = rig({ consoleLevel: 'info', consoleStyle, tty: true, env });
      log.logger.warn('x');
      log.close();
      expect(shown[0]?.includes('\u001b')).toBe(coloured);
    }
  });

  test('that is read too slowly loses lines, is told so, and the file has them all', () => {
    const { log, shown, stream } = rig({ consoleLevel: 'info' });
    Object.assign(stream, { writableLength: 2_000_000 });
    for (let n = 0; n < 5; n += 1) log.logger.info({ n }, 'line');
    Object.assign(stream, { writableLength: 0 });
    log.logger.info('again');
    log.close();
    expect(shown.join('')).toMatch(/^\[5 log lines not shown/);
    expect(lines()).toHaveLength(6);
  });
});

test('facts become log lines of their severity, with path, life and trace', () => {
  const { log } = rig();
  const bus = createBus({ now: () => now, defer: () => {} });
  logFacts(bus, log);
  const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
  bus.publish(
    { type: 'store.failed', error: { message: 'disk full' }, trace },
    { path: 'gateway/core', incarnation: 2 },
  );
  bus.publish({
    type: 'tool.loop',
    toolName: 'x',
    level: 'warning',
    action: 'warn',
    detector: 'ping_pong',
    count: 3,
    message: 'm',
  });
  bus.close();
  log.close();
  expect(lines()).toMatchObject([
    {
      level: 'error',
      msg: 'store.failed: disk full',
      type: 'store.failed',
      path: 'gateway/core',
      incarnation: 2,
      traceId: trace.traceId,
      seq: 1,
    },
    { level: 'warn', msg: 'tool.loop', data: { level: 'warning', count: 3 } },
  ]);
});

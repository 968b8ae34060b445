import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { eventually, runs } from './stand.ts';

/** A real process: what nobody catches is observed there, not in this one. */
async function run(fixture: string): Promise<{ out: string; code: number | null; err: string }> {
  const path = fileURLToPath(new URL(`./fixtures/${fixture}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { out, err, code };
}

const KINDS = [
  'floating-rejection',
  'late-timer',
  'socket-listener',
  'emitter-listener',
  'socket-error',
  'emitter-error',
  'async-listener',
  'async-timer',
  'next-tick',
];

it('every unguarded stray of an effect is one fault of its owner, which lives again; nobody else and not the process', async () => {
  const { out, err, code } = await run('strays');
  expect([err, code]).toEqual(['', 0]);
  const { faults, ended, lives, spent, samePid } = JSON.parse(out) as {
    faults: { owner?: string; error: { message: string } }[];
    ended: { child: string; reason: string; message: string }[];
    lives: Record<string, number>;
    spent: number;
    samePid: boolean;
  };
  const ids = [...KINDS, ...KINDS.map((kind) => `promise-${kind}`)];
  const message = (id: string): string =>
    id.endsWith('socket-error') ? 'read ECONNRESET' : `stray ${id.replace('promise-', '')}`;
  const told = ids.map((id) => ({ child: id, reason: 'error', message: message(id) }));
  const byChild = (a: { child: string }, b: { child: string }): number => a.child.localeCompare(b.child);
  expect(ended.toSorted(byChild)).toEqual(told.toSorted(byChild));
  expect(faults.map(({ owner, error }) => `${owner} ${error.message}`).toSorted()).toEqual(
    ids.map((id) => `${id}#1 ${message(id)}`).toSorted(),
  );
  expect(lives).toEqual({ ...Object.fromEntries(ids.map((id) => [id, 2])), bystander: 1 });
  expect([spent, samePid]).toEqual([0, true]);
});

it('errors without an owner are counted, one more for an observer that throws, and the spent budget is told once', async () => {
  const { out, err, code } = await run('unowned');
  expect(JSON.parse(out)).toEqual({
    heard: [
      'uncaughtException error 1 nobody',
      'uncaughtException error 2 nobody',
      'uncaughtException error 3 nobody',
      'uncaughtException error 4 nobody',
      'unhandledRejection rejected nobody',
    ],
    spent: ['3 at the 2. fault'],
  });
  // Without the trap, the process ends as Node ends it.
  expect(err).toContain('after the trap');
  expect(code).toBe(1);
});

it('a program that exits takes the processes of its children along', async () => {
  const { out, code } = await run('parent');
  const pids = out.trim().split(' ').map(Number);
  expect([pids.length, code]).toEqual([2, 3]);
  await eventually(() => !pids.some(runs), 'the end of both');
});

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { STRAYS } from './fixtures/stray-kinds.ts';
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

it('every unguarded stray, of an effect or of a plain actor, is one fault of its owner, which lives again; nobody else and not the process', async () => {
  const { out, err, code } = await run('strays');
  expect([err, code]).toEqual(['', 0]);
  const { kinds, told, ended, lives, spent, samePid } = JSON.parse(out) as {
    kinds: string[];
    told: string[];
    ended: string[];
    lives: Record<string, number>;
    spent: number;
    samePid: boolean;
  };
  const guardable = kinds.filter((kind) => kind in STRAYS);
  const ids = [...kinds, ...guardable.map((kind) => `promise-${kind}`)];
  const message = (id: string): string =>
    id.endsWith('socket-error')
      ? 'read ECONNRESET'
      : `stray ${guardable.includes(id.slice(8)) ? id.slice(8) : id}`;
  expect([guardable.length, kinds.length]).toEqual([Object.keys(STRAYS).length, guardable.length + 5]);
  expect(told.toSorted()).toEqual(ids.map((id) => `${id}#1: ${message(id)}`).toSorted());
  // Whatever was reported of anybody: one ending each, and no cleanup that went wrong beside it.
  expect(ended.toSorted()).toEqual(ids.map((id) => `child_terminated ${id}: ${message(id)}`).toSorted());
  expect(lives).toEqual({ ...Object.fromEntries(ids.map((id) => [id, 2])), bystander: 1 });
  expect([spent, samePid]).toEqual([0, true]);
});

describe('a stray is the fault of whose work it was', () => {
  let scenes: Record<string, { told: string[]; ended: string[] }>;
  beforeAll(async () => {
    const { out, err } = await run('owners');
    expect(err).toBe('');
    scenes = JSON.parse(out) as typeof scenes;
  });

  it.each([
    ['of who asked, on a connection of the pool of `fetch` that another opened', 'fetch', 'b'],
    ['of who asked, on a connection of an agent that another opened, used, and waits for', 'agent', 'b'],
    ['of who asked, where the connection that another opened breaks', 'broken-agent', 'b'],
    ['of who listens through `listen`, to a signal that another aborts', 'signal', 'a'],
    ['of the effect that another effect starts', 'inner-effect', 'dynamic/inner'],
    ['of the machine that an effect starts', 'inner-machine', 'dynamic/inner'],
    ['of the machine that an effect tells something', 'told-machine', 'b'],
    ['of the machine that invokes, when an effect tells it to', 'invoked', 'b'],
  ])('%s', (_, scene, owner) => {
    const id = owner.slice(owner.lastIndexOf('/') + 1);
    const error = scene === 'broken-agent' ? 'read ECONNRESET' : scene;
    const told = scene === 'signal' ? [] : [`${id}#1: ${error}`];
    expect(scenes[scene]).toEqual({ told, ended: [`child_terminated ${owner}: ${error}`] });
  });

  it('of an ending effect, though it is over: nobody else fails, and it costs no budget', () => {
    expect(scenes['abort']).toEqual({ told: ['a#1: abort'], ended: [] });
    expect(scenes['promise-abort']).toEqual({ told: ['a#1: promise-abort'], ended: [] });
    expect(scenes['async-cleanup']).toEqual({ told: ['a#1: async-cleanup'], ended: [] });
  });

  it('of nobody, when a report goes wrong: not of the child it is about', () => {
    expect(scenes['report']).toEqual({ told: ['undefined: report'], ended: ['child_terminated a: crash'] });
  });
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

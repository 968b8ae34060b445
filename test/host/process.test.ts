import { describe, expect, it } from 'vitest';
import { processChild, type ProcessEvent, type ProcessOptions } from '../../src/host/index.ts';
import type { ChildSpec } from '../../src/supervisor/index.ts';
import { createStand, eventually, runs } from './stand.ts';

/** A child that is a shell script, with everything it said, life by life. */
function shell(
  id: string,
  script: string,
  more: Partial<ChildSpec> & { process?: Partial<ProcessOptions> } = {},
) {
  const said: ProcessEvent[] = [];
  const { process: options, ...rest } = more;
  const spec = processChild({
    id,
    process: { command: 'sh', args: ['-c', script], ...options },
    onEvent: (event) => void said.push(event),
    ...(rest as object),
  });
  return {
    spec,
    said,
    pids: () => said.flatMap((event) => (event.type === 'process.started' ? [event.pid] : [])),
    lines: () => said.flatMap((event) => (event.type === 'process.printed' ? [event.line] : [])),
    refusals: () => said.flatMap((event) => (event.type === 'process.refused' ? [event.error] : [])),
  };
}

/** Answers `crash` by dying loudly, everything else by an echo. */
const OBEDIENT =
  'while read -r word; do case $word in crash) echo "no more" >&2; exit 3;; *) echo "$word";; esac; done';
/** Says `deaf` and ignores SIGTERM, as does what it starts (an ignored signal is inherited). */
const DEAF = 'trap "" TERM; sleep 1000 & echo "$!"; echo deaf; while :; do sleep 1; done';

describe('a process as a child', () => {
  it('gets what is written to it, says what it prints, and ends normally when its input ends', async () => {
    const cat = shell('cat', OBEDIENT, { restart: 'transient' });
    const stand = createStand([cat.spec]);
    stand.tell('cat', { type: 'process.write', text: 'hello\nwor' } as never);
    stand.tell('cat', { type: 'process.write', text: 'ld\n' } as never);
    await eventually(() => cat.lines().includes('world'));
    stand.tell('cat', { type: 'process.end' });
    await eventually(() => stand.life('cat') === 0);
    expect([cat.lines(), stand.endings('cat')]).toEqual([['hello', 'world'], []]);
  });

  it('that crashes is one typed fault with its last words, and lives again as another process', async () => {
    const one = shell('one', OBEDIENT);
    const two = shell('two', OBEDIENT);
    const stand = createStand([one.spec, two.spec]);
    await eventually(() => one.pids().length === 1 && two.pids().length === 1);
    stand.tell('one', { type: 'process.write', text: 'crash\n' } as never);
    await eventually(() => one.pids().length === 2);
    const [body] = stand.bodies('one', 'child_terminated') as { error?: { message: string } }[];
    expect(stand.endings('one')).toEqual(['error CHILD_PROCESS_EXITED']);
    expect(body?.error?.message).toMatch(/^sh \(pid \d+\) ended with exit code 3; its last words: no more$/);
    expect([stand.life('one'), stand.life('two'), stand.endings('two')]).toEqual([2, 1, []]);
    expect(one.pids().map(runs)).toEqual([false, true]);
  });

  it('that somebody kills with -9 is one typed fault, and its next life answers', async () => {
    const one = shell('one', OBEDIENT);
    const stand = createStand([one.spec]);
    await eventually(() => one.pids().length === 1);
    process.kill(one.pids()[0]!, 'SIGKILL');
    await eventually(() => one.pids().length === 2);
    stand.tell('one', { type: 'process.write', text: 'back\n' } as never);
    await eventually(() => one.lines().includes('back'));
    const [body] = stand.bodies('one', 'child_terminated') as { error?: { message: string } }[];
    expect(stand.endings('one')).toEqual(['error CHILD_PROCESS_EXITED']);
    expect(body?.error?.message).toContain('ended with SIGKILL');
  });

  it('ten crashes leave exactly one process, and this one is still the same', async () => {
    const own = process.pid;
    const one = shell('one', OBEDIENT);
    const stand = createStand([one.spec]);
    for (let life = 1; life <= 10; life += 1) {
      await eventually(() => one.pids().length === life);
      stand.tell('one', { type: 'process.write', text: 'crash\n' } as never);
    }
    await eventually(() => one.pids().length === 11);
    expect(one.pids().filter(runs)).toEqual([one.pids()[10]]);
    expect([stand.endings('one').length, process.pid]).toEqual([10, own]);
  });

  it('killed by an operator is gone before its next life starts', async () => {
    const before: boolean[] = [];
    const one = shell('one', OBEDIENT);
    const stand = createStand([
      processChild({
        id: 'one',
        process: { command: 'sh', args: ['-c', DEAF] },
        shutdown: 300,
        onEvent(event, { incarnation }) {
          one.said.push(event);
          if (event.type === 'process.started' && incarnation === 2) before.push(runs(one.pids()[0]!));
        },
      }),
    ]);
    await eventually(() => one.lines().includes('deaf'));
    stand.supervision.kill('app/one', { by: 'test' });
    await eventually(() => one.pids().length === 2);
    expect([before, stand.endings('one')]).toEqual([[false], ['killed KILLED']]);
  });
});

describe('to end a process', () => {
  it('SIGTERM is enough for one that obeys, and nothing is reported as wrong', async () => {
    const one = shell('one', 'trap "echo bye; exit 9" TERM; echo up; while :; do sleep 0.05; done');
    const stand = createStand([one.spec]);
    await eventually(() => one.lines().includes('up'));
    await stand.stop();
    expect(one.lines()).toContain('bye');
    expect([stand.bodies('one', 'shutdown_error'), one.pids().map(runs)]).toEqual([[], [false]]);
  });

  it('SIGKILL follows at the deadline for one that does not, and takes what it had started along', async () => {
    const one = shell('one', DEAF, { shutdown: 100 });
    const stand = createStand([one.spec]);
    await eventually(() => one.lines().includes('deaf'));
    const all = [...one.pids(), Number(one.lines()[0])];
    expect(all.map(runs)).toEqual([true, true]);
    await stand.stop();
    expect(all.map(runs)).toEqual([false, false]);
    expect(stand.bodies('one', 'shutdown_error')).toEqual([{ type: 'shutdown_error', reason: 'timeout' }]);
  });

  it('without a deadline of the supervisor its own grace holds', async () => {
    const one = shell('one', DEAF, { shutdown: 'infinity', process: { graceMs: 50 } });
    const stand = createStand([one.spec]);
    await eventually(() => one.lines().includes('deaf'));
    await stand.stop();
    expect(one.pids().map(runs)).toEqual([false]);
    expect(stand.bodies('one', 'shutdown_error')).toEqual([{ type: 'shutdown_error', reason: 'timeout' }]);
  });

  it('brutal gives none of them time, and is as told', async () => {
    const one = shell('one', DEAF, { shutdown: 'brutal' });
    const stand = createStand([one.spec]);
    await eventually(() => one.lines().includes('deaf'));
    const all = [...one.pids(), Number(one.lines()[0])];
    await stand.stop();
    expect([all.map(runs), stand.bodies('one', 'shutdown_error')]).toEqual([[false, false], []]);
  });

  it('a grandchild that ignores SIGTERM does not outlive a parent that obeys', async () => {
    const script = '(trap "" TERM; sleep 1000) & echo "$!"; wait';
    const one = shell('one', script, { shutdown: 300 });
    const stand = createStand([one.spec]);
    await eventually(() => one.lines().length === 1);
    // The inner shell has set its trap when the sleep it waits for runs, or soon after.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const grandchild = Number(one.lines()[0]);
    expect(runs(grandchild)).toBe(true);
    await stand.stop();
    expect([runs(grandchild), ...one.pids().map(runs)]).toEqual([false, false]);
  });

  it('the orphans of a crash are gone before the next life starts', async () => {
    const left: boolean[] = [];
    const said: string[] = [];
    const stand = createStand(
      [
        processChild({
          id: 'one',
          process: { command: 'sh', args: ['-c', '(trap "" TERM; sleep 1000) & echo "$!"; exit 1'] },
          backoff: { minMs: 0, maxMs: 0, factor: 1, jitter: 0, resetAfterMs: 1 },
          onEvent(event) {
            if (event.type === 'process.started') left.push(...said.map((pid) => runs(Number(pid))));
            if (event.type === 'process.printed') said.push(event.line);
          },
        }),
      ],
      { intensity: 2, onExhausted: 'park' },
    );
    await eventually(() => stand.bodies('one', 'parked').length === 1);
    expect([said.length, left]).toEqual([3, [false, false, false]]);
    expect(said.map((pid) => runs(Number(pid)))).toEqual([false, false, false]);
  });

  it('a stopped tree leaves no process', async () => {
    const children = ['a', 'b', 'c', 'd'].map((id) =>
      shell(id, id === 'b' ? DEAF : OBEDIENT, { shutdown: 200 }),
    );
    const stand = createStand(children.map(({ spec }) => spec));
    await eventually(() => children.every(({ pids }) => pids().length === 1));
    await stand.stop();
    expect(children.flatMap(({ pids }) => pids()).filter(runs)).toEqual([]);
  });

  it('a kill that cannot be verified is a fault of its own, and is said', async () => {
    const one = shell('one', DEAF, { restart: 'temporary', process: { killMs: 0 } });
    const stand = createStand([one.spec]);
    await eventually(() => one.lines().includes('deaf'));
    stand.supervision.kill('app/one', { by: 'test' });
    await eventually(() => stand.bodies('one', 'disposer_failed').length === 1);
    const [body] = stand.bodies('one', 'disposer_failed') as { error: { code: string } }[];
    expect(body!.error.code).toBe('KILL_UNVERIFIED');
  });
});

describe('what goes wrong beside a process', () => {
  it('a command that does not exist is a typed fault of its child alone', async () => {
    const one = shell('one', '', { process: { command: 'no-such-command-of-coppice' } });
    const two = shell('two', OBEDIENT);
    const stand = createStand([one.spec, two.spec], { intensity: 1, onExhausted: 'park' });
    await eventually(() => stand.bodies('one', 'parked').length === 1);
    expect(stand.endings('one')).toEqual([
      'error CHILD_PROCESS_SPAWN_FAILED',
      'error CHILD_PROCESS_SPAWN_FAILED',
    ]);
    expect([stand.life('two'), one.said]).toEqual([1, []]);
  });

  it('a folder that does not exist is named', async () => {
    const one = shell('one', '', { process: { cwd: '/no/such/folder' } });
    const stand = createStand([one.spec], { intensity: 0, onExhausted: 'park' });
    await eventually(() => stand.bodies('one', 'parked').length === 1);
    const [body] = stand.bodies('one', 'child_terminated') as { error: { message: string } }[];
    expect(body!.error.message).toContain('sh could not be started in /no/such/folder');
  });

  it('a write it does not take in is refused at the bound, by type, and the child lives', async () => {
    const one = shell('one', 'echo up; while :; do sleep 1; done', { process: { maxInputBytes: 300_000 } });
    const stand = createStand([one.spec]);
    await eventually(() => one.lines().includes('up'));
    for (let i = 0; i < 10; i += 1)
      stand.tell('one', { type: 'process.write', text: 'x'.repeat(100_000) } as never);
    expect(one.refusals().length).toBeGreaterThanOrEqual(6);
    expect(one.refusals()[0]).toMatchObject({ code: 'CHILD_INPUT_REFUSED' });
    expect(one.refusals()[0]!.message).toContain('of 300000 bytes already');
    expect([stand.life('one'), stand.endings('one')]).toEqual([1, []]);
  });

  it('a write to one that has closed its input is refused, each once, and the child lives', async () => {
    const one = shell('one', 'exec 0<&-; echo closed; while :; do sleep 1; done');
    const stand = createStand([one.spec]);
    await eventually(() => one.lines().includes('closed'));
    for (let i = 1; i <= 3; i += 1) {
      stand.tell('one', { type: 'process.write', text: `${i}\n` } as never);
      await eventually(() => one.refusals().length === i);
    }
    expect(one.refusals()[0]!.message).toContain('EPIPE');
    expect(one.refusals()[2]!.message).toContain('its stdin is closed');
    expect([stand.life('one'), stand.endings('one')]).toEqual([1, []]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('deaf ear');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('deaf ear');
      },
    ],
  ])('a listener that %s fails its child once, whose process goes with it', async (_, react) => {
    const pids: number[] = [];
    const stand = createStand([
      processChild({
        id: 'one',
        process: { command: 'sh', args: ['-c', DEAF] },
        shutdown: 100,
        onEvent(event, { incarnation }) {
          if (event.type === 'process.started') pids.push(event.pid);
          if (event.type === 'process.printed' && incarnation === 1) return react();
        },
      }),
    ]);
    await eventually(() => pids.length === 2);
    expect([stand.endings('one'), pids.map(runs)]).toEqual([['error deaf ear'], [false, true]]);
  });

  it('a line longer than the limit is cut and says so; the next one is whole', async () => {
    const one = shell('one', 'printf "%0100d\\nshort\\r\\nlast" 7', {
      restart: 'transient',
      process: { maxLineLength: 10 },
    });
    const stand = createStand([one.spec]);
    await eventually(() => stand.life('one') === 0);
    expect(one.said.flatMap((e) => (e.type === 'process.printed' ? [[e.line, e.truncated]] : []))).toEqual([
      ['0000000000', true],
      ['short', false],
      ['last', false],
    ]);
  });
});

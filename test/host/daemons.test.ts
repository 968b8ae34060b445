import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { processChild, type ProcessOptions } from '../../src/host/index.ts';
import { createStand, eventually, runs } from './stand.ts';

/** A child that says numbers of processes: those it has started, and that have left its group. */
function daemonic(options: Partial<ProcessOptions>, onLife: (pids: readonly number[]) => void = () => {}) {
  const pids: number[] = [];
  const spec = processChild({
    id: 'one',
    process: { command: 'sh', args: ['-c', DAEMON], ...options },
    shutdown: 2_000,
    onEvent(event) {
      if (event.type === 'process.started') onLife(pids);
      if (event.type === 'process.printed' && /^\d+$/.test(event.line)) pids.push(Number(event.line));
    },
  });
  return { spec, pids };
}
/** Forked twice, in a session of its own, deaf to SIGTERM, and it holds the pipes of its parent open. */
const DAEMON = `(setsid sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' &) ; while :; do sleep 1; done`;

// Elsewhere nobody shows the environment of a process.
describe.runIf(process.platform === 'linux')('a process that has left the group of its parent', () => {
  it('goes with it when it is stopped', async () => {
    const { spec, pids } = daemonic({});
    const stand = createStand([spec]);
    await eventually(() => pids.length === 1);
    expect(pids.map(runs)).toEqual([true]);
    await stand.stop();
    expect([pids.map(runs), stand.bodies('one', 'shutdown_error')]).toEqual([[false], []]);
  });

  it('is gone before the next life starts, when its parent dies by kill -9 and when it ends well', async () => {
    const left: boolean[] = [];
    const ends = `(setsid sh -c 'echo $$; while :; do sleep 1; done' &) ; sleep 0.5; [ -n "$1" ] && kill -9 $$; exit 0`;
    for (const how of ['killed', '']) {
      const { spec, pids } = daemonic({ args: ['-c', ends, 'sh', how] }, (before) =>
        left.push(...before.map(runs)),
      );
      const stand = createStand([spec]);
      await eventually(() => pids.length >= 2);
      await stand.stop();
      expect(pids.map(runs)).toEqual(pids.map(() => false));
    }
    expect([left.length >= 2, left.filter(Boolean)]).toEqual([true, []]);
  });

  it('may stay when that is asked for', async () => {
    const { spec, pids } = daemonic({ keepDaemons: true });
    const stand = createStand([spec]);
    await eventually(() => pids.length === 1);
    await stand.stop();
    expect(pids.map(runs)).toEqual([true]);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  });

  it('and that is a child of a supervisor inside the parent goes too, though nobody is left there to end it', async () => {
    const fixture = fileURLToPath(new URL('./fixtures/parent.ts', import.meta.url));
    const args = ['--disable-warning=ExperimentalWarning', fixture, 'stay'];
    const pids: number[] = [];
    const leaders: number[] = [];
    const stand = createStand([
      processChild({
        id: 'one',
        restart: 'temporary',
        process: { command: process.execPath, args },
        onEvent(event) {
          if (event.type === 'process.started') leaders.push(event.pid);
          if (event.type === 'process.printed') pids.push(...event.line.split(' ').map(Number));
        },
      }),
    ]);
    await eventually(() => pids.length === 2);
    expect(pids.map(runs)).toEqual([true, true]);
    process.kill(leaders[0]!, 'SIGKILL');
    await eventually(() => stand.endings('one').length === 1);
    expect(pids.map(runs)).toEqual([false, false]);
  });
});

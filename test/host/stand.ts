import { readFileSync } from 'node:fs';
import { createActor } from 'xstate';
import { expect, onTestFinished } from 'vitest';
import { createClock } from '../../src/host/index.ts';
import {
  createSupervision,
  type ChildSpec,
  type Report,
  type Supervision,
  type SupervisorSpec,
} from '../../src/supervisor/index.ts';

/**
 * A real tree on the real clock, whose reports the test reads. It is stopped when the test ends. Children are named by
 * their path below its top.
 */
export function createStand(
  given: readonly ChildSpec[] | ((supervision: Supervision) => readonly ChildSpec[]),
  rules: Partial<SupervisorSpec> = {},
) {
  const clock = createClock();
  const reports: Report[] = [];
  const supervision = createSupervision({
    clock,
    random: () => 0.5,
    report: (report) => void reports.push(report),
  });
  const { supervisor, root, registry } = supervision;
  const children = typeof given === 'function' ? given(supervision) : given;
  const top = supervisor({ strategy: 'one_for_one', intensity: 20, periodMs: 60_000, children, ...rules });
  const app = createActor(top, { clock, input: { path: 'app', incarnation: 1 } });
  root(app, 'app');
  const errors: unknown[] = [];
  app.subscribe({ error: (error) => void errors.push(error) });
  app.start();

  const stop = async (): Promise<void> => {
    if (app.getSnapshot().status === 'active')
      app.send({ type: 'supervisor.shutdown', reason: 'the test ends', deadlineMs: 10_000 });
    await eventually(() => app.getSnapshot().status !== 'active');
  };
  onTestFinished(stop);

  const bodies = (id: string, type: Report['body']['type']) =>
    reports.filter((one) => one.childPath === `app/${id}` && one.body.type === type).map((one) => one.body);

  return {
    errors,
    reports,
    supervision,
    stop,
    bodies,
    tell: (id: string, event: { type: string }) => registry.tell(`app/${id}`, event),
    /** The life that runs now, or 0. */
    life(id: string): number {
      const path = `app/${id}`;
      const parent = path.slice(0, path.lastIndexOf('/'));
      const row = supervision.whichChildren(parent).find((one) => one.path === path);
      return typeof row?.child === 'number' ? row.child : 0;
    },
    /** How each life of a child ended: `error CODE` or the reason. */
    endings: (id: string): string[] =>
      bodies(id, 'child_terminated').map((body) => {
        const { reason, error } = body as { reason: string; error?: { code?: string; message: string } };
        return error ? `${reason} ${error.code ?? error.message}` : reason;
      }),
  };
}

/** Waits generously until something holds. */
export const eventually = (holds: () => boolean, what = 'it'): Promise<void> =>
  expect.poll(holds, { timeout: 30_000, interval: 5, message: `${what} never came true` }).toBe(true);

/** Does a process run? A zombie that nobody has reaped does not. */
export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

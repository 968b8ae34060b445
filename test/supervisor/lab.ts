import { assign, createActor, fromCallback, setup, type AnyActorLogic } from 'xstate';
import {
  createSupervision,
  type ChildSpec,
  type Report,
  type SupervisionEnv,
  type SupervisorSpec,
} from '../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

/** A controllable tree on a simulated clock: children whose starts, crashes and stops the test decides and sees. */
export function createLab(more: Partial<SupervisionEnv> = {}) {
  const clock = createSimulatedClock(0);
  const reports: Report[] = [];
  const log: string[] = [];
  const failStarts = new Map<string, number>();
  let resources = 0;
  const dead: string[] = [];
  const failedWatchers: string[] = [];
  const supervision = createSupervision({
    clock,
    random: () => 0.5,
    report: (report) => reports.push(report),
    deadLetter: (to) => dead.push(to),
    watcherFailed: (path, { message }) => failedWatchers.push(`${path}: ${message}`),
    ...more,
  });

  /** Holds one resource while it lives; obeys `crash`, `finish`; stops when told, unless it hangs. */
  const resource = fromCallback(() => {
    resources += 1;
    return () => {
      resources -= 1;
    };
  });
  const worker = (id: string, hang = false): AnyActorLogic =>
    setup({
      types: {
        input: {} as { path: string; incarnation: number },
        context: {} as { incarnation: number; queue: number[]; exit: string },
      },
      actors: { resource },
      actions: {
        began: () => {
          const left = failStarts.get(id) ?? 0;
          if (left > 0) {
            failStarts.set(id, left - 1);
            log.push(`fail ${id}`);
            throw new Error(`${id} cannot start`);
          }
          log.push(`start ${id}`);
        },
        crash: () => {
          throw new Error(`${id} crashed`);
        },
        stopped: () => log.push(`stop ${id}`),
      },
    }).createMachine({
      context: ({ input }) => ({ incarnation: input.incarnation, queue: [], exit: 'shutdown' }),
      initial: 'up',
      invoke: { src: 'resource' },
      entry: 'began',
      states: {
        up: {
          on: {
            crash: { actions: 'crash' },
            finish: { target: 'finished', actions: assign({ exit: 'normal' }) },
            push: { actions: assign({ queue: ({ context }) => [...context.queue, 1] }) },
            ...(hang
              ? { 'supervisor.shutdown': { actions: () => void log.push(`ignore ${id}`) } }
              : { 'supervisor.shutdown': 'down' }),
          },
        },
        finished: { type: 'final' },
        down: { type: 'final', entry: 'stopped' },
      },
      output: ({ context }) => ({ exit: context.exit }),
    }) as AnyActorLogic;

  const child = (id: string, more: Partial<ChildSpec> & { hang?: boolean } = {}): ChildSpec => {
    const { hang, ...spec } = more;
    return { id, logic: worker(id, hang), ...spec };
  };

  const start = (spec: Partial<SupervisorSpec> & Pick<SupervisorSpec, 'children'>) => {
    const full: SupervisorSpec = { strategy: 'one_for_one', intensity: 2, periodMs: 5_000, ...spec };
    const root = createActor(supervision.supervisor(full), { clock, input: { path: 'top', incarnation: 1 } });
    const errors: unknown[] = [];
    const outputs: unknown[] = [];
    root.subscribe({
      next: (s) => s.status === 'done' && outputs.push(s.output),
      error: (error) => errors.push(error),
    });
    supervision.root(root, 'top');
    root.start();
    return { root, errors, outputs };
  };

  return {
    clock,
    reports,
    log,
    failStarts,
    dead,
    failedWatchers,
    supervision,
    child,
    start,
    registry: supervision.registry,
    resources: () => resources,
    tell: (path: string, type: string) => supervision.registry.tell(`top/${path}`, { type }),
    incarnation: (path: string) => supervision.registry.incarnation(`top/${path}`),
    reportTypes: () => reports.map((r) => r.body.type),
    takeLog: () => log.splice(0),
  };
}

import { assign, fromCallback, setup, type AnyActorLogic } from 'xstate';
import type { ChildSpec, SupervisorSpec } from '../../src/supervisor/index.ts';
import { createLab } from '../supervisor/lab.ts';

/** How a puppet answers the order to stop. `throw` crashes; `hang` never does it. */
export interface Manners {
  readonly onStop?: 'shutdown' | 'normal' | 'error' | 'hang' | 'throw';
  /** It takes this long to stop, on the lab's clock. */
  readonly stopMs?: number;
}

/** What ends a puppet from within, and how it then ends. `die` throws; the others are a final state's exit. */
export const ENDS = { stop: 'normal', leave: 'shutdown', explain: 'shutdown', fail: 'error' } as const;

type Made = Partial<Omit<ChildSpec, 'id'>> & Manners;

/**
 * The lab of the unit tests with children that do what OTP's suite needs: `tell(path, 'stop' | 'leave' | 'explain' |
 * 'fail' | 'die')`, `failStarts.set(id, n)` (the next n starts throw), `ignores.add(id)` (its start says ignore).
 */
export function createStage(more: Parameters<typeof createLab>[0] = {}) {
  const lab = createLab(more);
  const ignores = new Set<string>();
  let held = 0;

  const resource = fromCallback(() => {
    held += 1;
    return () => {
      held -= 1;
    };
  });

  const puppet = (id: string, { onStop = 'shutdown', stopMs = 0 }: Manners = {}): AnyActorLogic =>
    setup({
      types: { context: {} as { exit: string; told?: string }, events: {} as { type: string } },
      actors: { resource },
      actions: {
        began: () => begin(id),
        die: () => {
          throw new Error(`${id} died`);
        },
        asked: () => void lab.log.push(`ask ${id}`),
        stopped: () => void lab.log.push(`stop ${id}`),
        exitAs: assign((_, exit: { exit: string; told?: string }) => exit),
      },
      guards: { ignored: () => ignores.has(id) },
    }).createMachine({
      context: { exit: 'normal' },
      invoke: { src: 'resource' },
      initial: 'born',
      states: {
        born: { always: [{ guard: 'ignored', target: 'over' }, { target: 'up' }] },
        up: {
          entry: 'began',
          on: {
            die: { actions: 'die' },
            stop: 'over',
            leave: { target: 'over', actions: { type: 'exitAs', params: { exit: 'shutdown' } } },
            explain: {
              target: 'over',
              actions: { type: 'exitAs', params: { exit: 'shutdown', told: 'upgrade' } },
            },
            fail: { target: 'over', actions: { type: 'exitAs', params: { exit: 'error' } } },
            'supervisor.shutdown':
              onStop === 'hang'
                ? { actions: 'asked' }
                : onStop === 'throw'
                  ? { actions: ['asked', 'die'] }
                  : {
                      target: stopMs > 0 ? 'closing' : 'down',
                      actions: { type: 'exitAs', params: { exit: onStop } },
                    },
          },
        },
        closing: { entry: 'asked', after: { [stopMs]: 'down' } },
        over: { type: 'final' },
        down: { type: 'final', entry: 'stopped' },
      },
      output: ({ context: { exit, told } }) => ({
        exit,
        ...(told ? { error: { name: 'Told', message: told } } : {}),
      }),
    }) as AnyActorLogic;

  const begin = (id: string): void => {
    const left = lab.failStarts.get(id) ?? 0;
    lab.failStarts.set(id, Math.max(0, left - 1));
    lab.log.push(left > 0 ? `fail ${id}` : `start ${id}`);
    if (left > 0) throw new Error(`${id} cannot start`);
  };

  const child = (id: string, { onStop, stopMs, ...spec }: Made = {}): ChildSpec => ({
    id,
    logic: puppet(id, { ...(onStop ? { onStop } : {}), ...(stopMs ? { stopMs } : {}) }),
    ...spec,
  });

  const { supervision } = lab;
  const supervisor = (
    id: string,
    spec: Partial<SupervisorSpec>,
    more: Partial<ChildSpec> = {},
  ): ChildSpec => ({
    id,
    logic: supervision.supervisor({ strategy: 'one_for_one', intensity: 2, periodMs: 5_000, ...spec }),
    ...more,
  });

  /** Ends one child, and lets what follows at once happen. */
  const end = (path: string, how: keyof typeof ENDS | 'die' | 'kill'): void => {
    if (how === 'kill') supervision.kill(`top/${path}`, { by: 'test' });
    else lab.tell(path, how);
    lab.clock.advance(1);
  };

  return {
    ...lab,
    ignores,
    puppet,
    child,
    supervisor,
    end,
    resources: () => held,
    /** Who lives, by id: its incarnation, `restarting`, `parked`, or undefined. */
    lives: (path = 'top') =>
      Object.fromEntries(supervision.whichChildren(path).map((row) => [row.id, row.child])),
    count: (path = 'top') => supervision.countChildren(path),
    ask: (type: 'terminate_child' | 'restart_child' | 'delete_child', id: string, path = 'top') =>
      supervision.admin(path, { type, id }),
    add: (spec: ChildSpec, path = 'top') => supervision.startChild(path, spec),
    shutdown: (root: {
      send(event: { type: 'supervisor.shutdown'; reason: string; deadlineMs: number }): void;
    }) => root.send({ type: 'supervisor.shutdown', reason: 'test', deadlineMs: 60_000 }),
    reasons: (type: 'child_terminated' | 'shutdown_error') =>
      lab.reports.flatMap(({ childPath, body }) =>
        body.type === type ? [`${childPath.slice('top/'.length)} ${body.reason}`] : [],
      ),
  };
}

export const quickBackoff = (minMs: number) => ({
  minMs,
  maxMs: minMs,
  factor: 1,
  jitter: 0,
  resetAfterMs: 1,
});

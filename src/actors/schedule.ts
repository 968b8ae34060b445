import type { AnyEventObject } from 'xstate';
import { callbackEffect } from '../host/index.ts';
import type { CallbackArgs } from '../host/index.ts';
import type { ClockTick } from '../machines/ending.ts';
import { LIMITS } from '../machines/limits.ts';
import { withEffects } from '../machines/schedule.ts';
import type { ScheduleInput } from '../machines/schedule.ts';
import type { ChildSpec, TimerHandle } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';

/** How often, and to whom, the tick goes. */
export interface ScheduleOptions {
  /** The paths of everything alive that wants `clock.tick`. Asked at every tick. */
  receivers(): readonly string[];
  /** Default 5,000. */
  readonly tickMs?: number;
}

type ScheduleDeps = Pick<Deps, 'clock' | 'registry'>;

/** The schedule actor. */
export function scheduleChild(deps: ScheduleDeps, options: ScheduleOptions): ChildSpec {
  const tickMs = options.tickMs ?? LIMITS.scheduleTickMs;
  const pulse = callbackEffect<AnyEventObject, ScheduleInput>((args) => beat(deps, options, args));
  return { id: 'schedule', logic: withEffects({ pulse }), input: ({ path }) => ({ path, tickMs }) };
}

/** Due times are counted from the start, not from the last tick: a slow tick does not shift those after it. */
function beat(
  { clock, registry }: ScheduleDeps,
  { receivers }: ScheduleOptions,
  args: CallbackArgs<AnyEventObject, ScheduleInput>,
): () => void {
  const { input, send, guard } = args;
  let timer: TimerHandle;
  let due = clock.now();
  let sending = false;
  const slice = guard((paths: readonly string[], atMs: number): void => {
    const event: ClockTick = { type: 'clock.tick', atMs };
    for (const path of paths.slice(0, LIMITS.scheduleSlice)) registry.tell(path, event);
    const rest = paths.slice(LIMITS.scheduleSlice);
    sending = rest.length > 0;
    if (sending) clock.defer(() => slice(rest, atMs));
  });
  const tick = guard((): void => {
    arm();
    const atMs = Math.round(clock.now());
    const overrun = sending;
    const paths = overrun ? [] : receivers();
    send({ type: 'pulse.beaten', atMs, receivers: paths.length, overrun });
    if (!overrun) slice(paths, atMs);
  });
  const arm = (): void => {
    const now = clock.now();
    due += input.tickMs * Math.max(1, Math.ceil((now - due) / input.tickMs));
    timer = clock.setTimeout(tick, due - now);
  };
  arm();
  return () => clock.clearTimeout(timer);
}

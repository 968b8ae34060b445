/** Watching one path event by event, as OTP's `sys:trace`. Costs nothing where nobody watches. */
import type { AnyActorRef, EventObject } from 'xstate';
import type { Clock } from './clock.ts';
import { plainLine } from './plain-view.ts';
import { stateName, type Entry, type Table } from './tree.ts';

/** One step of a traced actor; at most a few hundred characters. `at` is the clock's, in milliseconds. */
export type TraceRecord = {
  readonly path: string;
  readonly incarnation: number;
  readonly at: number;
} & (
  | {
      readonly kind: 'event' | 'held' | 'refused' | 'emitted';
      readonly type: string;
      readonly detail: string;
    }
  /** It took an event; `state` is what it then was in. */
  | { readonly kind: 'state'; readonly type: string; readonly state: string }
  | { readonly kind: 'began' }
  /** It ended, in any way; told in a turn of its own. */
  | { readonly kind: 'ended'; readonly reason: string }
);

/** May throw: reported once as a failed watcher of the path, and called again all the same. */
export type TraceSink = (record: TraceRecord) => void;

type Step = TraceRecord extends infer R
  ? R extends unknown
    ? Omit<R, 'path' | 'incarnation' | 'at'>
    : never
  : never;

export interface Tracer {
  on(entry: Entry, sink: TraceSink): void;
  off(path: string): void;
  /** Called before a new life takes its first event. */
  opened(entry: Entry, self: AnyActorRef): void;
  event(entry: Entry, kind: 'event' | 'held' | 'refused', event: EventObject): void;
  moved(entry: Entry, event: EventObject, snapshot: unknown): void;
}

const TYPE_CHARS = 120;
const DETAIL_CHARS = 300;
const STATE_CHARS = 200;

interface Trace {
  tell(incarnation: number, step: Step): void;
  listen(entry: Entry, self: AnyActorRef): void;
  stop(): void;
}

export interface TracerEnv {
  readonly clock: Clock;
  readonly registry: Pick<Table, 'watch'>;
  readonly failed: (path: string, error: unknown) => void;
}

export function createTracer(env: TracerEnv): Tracer {
  const traces = new Map<string, Trace>();
  const off = (path: string): void => {
    traces.get(path)?.stop();
    traces.delete(path);
  };
  return {
    on(entry, sink) {
      off(entry.path);
      const trace = startTrace(env, entry.path, sink, () => off(entry.path));
      traces.set(entry.path, trace);
      if (entry.ref) trace.listen(entry, entry.ref);
    },
    off,
    opened: (entry, self) => traces.get(entry.path)?.listen(entry, self),
    event(entry, kind, event) {
      if (traces.size === 0) return;
      traces.get(entry.path)?.tell(entry.incarnation, { kind, ...described(event) });
    },
    moved(entry, { type }, snapshot) {
      if (traces.size === 0) return;
      const state = stateName(snapshot).slice(0, STATE_CHARS);
      traces
        .get(entry.path)
        ?.tell(entry.incarnation, { kind: 'state', type: type.slice(0, TYPE_CHARS), state });
    },
  };
}

function described({ type, ...detail }: EventObject): { type: string; detail: string } {
  return { type: type.slice(0, TYPE_CHARS), detail: plainLine(detail, DETAIL_CHARS) };
}

function startTrace(
  { clock, registry, failed }: TracerEnv,
  path: string,
  sink: TraceSink,
  gone: () => void,
): Trace {
  let complained = false;
  let listening: { unsubscribe(): void } | undefined;
  const tell: Trace['tell'] = (incarnation, step) => {
    try {
      sink({ path, incarnation, at: clock.now(), ...step });
    } catch (error) {
      if (!complained) failed(path, error);
      complained = true;
    }
  };
  const unwatch = registry.watch(path, {
    up: (incarnation) => tell(incarnation, { kind: 'began' }),
    down(incarnation, reason) {
      if (reason !== 'noproc') tell(incarnation, { kind: 'ended', reason });
    },
    forgotten: gone,
  });
  return {
    tell,
    listen({ incarnation }, self) {
      listening?.unsubscribe();
      listening = self.on('*', (emitted: EventObject) =>
        tell(incarnation, { kind: 'emitted', ...described(emitted) }),
      );
    },
    stop() {
      unwatch();
      listening?.unsubscribe();
    },
  };
}

/** What runs say, as the events `agent` and `chat`. Chat deltas are throttled; the end of a run never is. */
import type { RunSignal } from '../channels/contract.ts';
import type { Clock } from '../supervisor/clock.ts';
import type { Clients } from './clients.ts';
import type { ServerLimits } from './limits.ts';
import type { GatewayPort } from './port.ts';
import { createThrottle, guarded, type Fault, type Throttle } from './throttle.ts';

type Signal<K extends RunSignal['kind']> = Extract<RunSignal, { kind: K }>;

interface LiveRun {
  readonly deltas: Throttle;
  latest: Signal<'text'> | undefined;
}

export interface RunFeed {
  startedAt(runId: string): number | undefined;
  stop(): void;
}

/** Start times are kept for this many runs, so that `agent.wait` can tell after the end. */
const REMEMBERED = 1_000;
/** A run that never ends must not stay here for ever. */
const LIVE = 10_000;

export function createRunFeed(deps: {
  port: GatewayPort;
  clock: Clock;
  limits: ServerLimits;
  clients: Clients;
  fault: Fault;
}): RunFeed {
  const { port, clock, limits, clients, fault } = deps;
  const live = new Map<string, LiveRun>();
  const started = new Map<string, number>();
  const agent = (signal: RunSignal, stream: string, data: object, droppable = false): void => {
    const { runId, seq, sessionKey } = signal;
    const payload = { runId, seq, ts: Math.round(signal.ts), stream, sessionKey, data };
    clients.broadcast('agent', payload, { scope: 'operator.read', sessionKey, droppable });
  };
  const chat = (signal: RunSignal, state: string, rest: object, droppable = false): void => {
    const { runId, seq, sessionKey } = signal;
    clients.broadcast(
      'chat',
      { runId, sessionKey, seq, state, ...rest },
      { scope: 'operator.read', sessionKey, droppable },
    );
  };
  const sayDelta = (run: LiveRun): void => {
    const signal = run.latest;
    run.latest = undefined;
    if (signal) chat(signal, 'delta', { message: assistant(signal.text, signal.ts) }, true);
  };
  const runOf = (runId: string): LiveRun => {
    const known = live.get(runId);
    if (known) return known;
    const run: LiveRun = {
      latest: undefined,
      deltas: createThrottle(
        clock,
        limits.deltaMs,
        guarded(fault, 'chat delta', () => sayDelta(run)),
        // The first words leave with the frame they came with.
        { atOnce: true },
      ),
    };
    live.set(runId, run);
    if (live.size > LIVE) drop(live.keys().next().value!);
    return run;
  };
  const drop = (runId: string): void => {
    live.get(runId)?.deltas.stop();
    live.delete(runId);
  };
  const on: { [K in RunSignal['kind']]: (signal: Signal<K>) => void } = {
    started(signal) {
      remember(started, signal.runId, signal.startedAt);
      agent(signal, 'lifecycle', { phase: 'start', startedAt: Math.round(signal.startedAt) });
    },
    text(signal) {
      agent(signal, 'assistant', { text: signal.text, delta: signal.delta }, true);
      const run = runOf(signal.runId);
      run.latest = signal;
      run.deltas.poke();
    },
    'tool-started': (signal) =>
      agent(signal, 'tool', {
        phase: 'start',
        name: signal.toolName,
        toolCallId: signal.toolCallId,
        args: signal.input,
      }),
    'tool-ended'(signal) {
      const { toolName: name, toolCallId, output: result, isError } = signal;
      agent(signal, 'tool', { phase: 'result', name, toolCallId, result, isError });
    },
    restarted(signal) {
      drop(signal.runId);
      agent(signal, 'error', { reason: signal.reason, restarted: true });
    },
    ended(signal) {
      // Some clients put the text together from the deltas alone: what the throttle still holds goes first.
      const run = live.get(signal.runId);
      if (run) sayDelta(run);
      drop(signal.runId);
      agent(signal, 'lifecycle', ending(signal, started.get(signal.runId)));
      chat(signal, CHAT_STATE[signal.status], chatEnding(signal));
    },
  };
  const hear = (signal: RunSignal): void => (on[signal.kind] as (signal: RunSignal) => void)(signal);
  const remove = port.onRunSignal(guarded(fault, 'run signal', hear));
  return {
    startedAt: (runId) => started.get(runId),
    stop() {
      remove();
      for (const runId of [...live.keys()]) drop(runId);
    },
  };
}

const CHAT_STATE = { ok: 'final', error: 'error', aborted: 'aborted' } as const;

function ending(signal: Signal<'ended'>, startedAt: number | undefined): object {
  const times = {
    ...(startedAt === undefined ? {} : { startedAt: Math.round(startedAt) }),
    endedAt: Math.round(signal.endedAt),
  };
  if (signal.status === 'error')
    return { phase: 'error', ...times, error: signal.error?.message ?? 'the run failed' };
  return { phase: 'end', ...times, ...(signal.status === 'aborted' ? { aborted: true } : {}) };
}

function chatEnding(signal: Signal<'ended'>): object {
  const extra = {
    ...(signal.usage === undefined ? {} : { usage: signal.usage }),
    ...(signal.stopReason === undefined ? {} : { stopReason: signal.stopReason }),
  };
  if (signal.status === 'error') return { errorMessage: signal.error?.message ?? 'the run failed', ...extra };
  return signal.text === '' ? extra : { message: assistant(signal.text, signal.ts), ...extra };
}

function assistant(text: string, ts: number) {
  return { role: 'assistant', content: [{ type: 'text', text }], timestamp: Math.round(ts) };
}

function remember(started: Map<string, number>, runId: string, at: number): void {
  started.delete(runId);
  started.set(runId, at);
  if (started.size > REMEMBERED) started.delete(started.keys().next().value!);
}

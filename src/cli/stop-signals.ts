/**
 * From signals to requests. The first stop signal asks for a graceful stop, the next one for a fast stop. One stop
 * may reach this process twice: a service manager that signals every process of a unit reaches the launcher too,
 * which passes the signal on. So a second one within `SAME_STOP_MS` is the same stop.
 */
export interface SignalRequests {
  stop(reason: string): void;
  fastStop(reason: string): void;
  restart(reason: string): void;
  reload(reason: string): void;
}

const SAME_STOP_MS = 200;

export interface SignalTranslator {
  onSignal(signal: NodeJS.Signals): void;
}

/** `now`: milliseconds that never run backwards. */
export function translateSignals(requests: SignalRequests, now: () => number): SignalTranslator {
  let firstStopMs: number | undefined;
  const onStop = (signal: string): void => {
    if (firstStopMs === undefined) {
      firstStopMs = now();
      requests.stop(signal);
    } else if (now() - firstStopMs >= SAME_STOP_MS) requests.fastStop(`a second stop signal (${signal})`);
  };
  return {
    onSignal(signal) {
      if (signal === 'SIGTERM' || signal === 'SIGINT') onStop(signal);
      else if (signal === 'SIGHUP') requests.reload(signal);
      else requests.restart(signal);
    },
  };
}

const HANDLED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/** Installs the handlers on this process. Returns a remover. */
export function handleSignals(requests: SignalRequests): () => void {
  const translator = translateSignals(requests, () => performance.now());
  const handler = (signal: NodeJS.Signals): void => translator.onSignal(signal);
  for (const signal of HANDLED) process.on(signal, handler);
  return () => {
    for (const signal of HANDLED) process.off(signal, handler);
  };
}

/** For a command in the foreground: Ctrl-C and SIGTERM are told instead of ending the process. Returns a remover. */
export function onStopSignals(told: () => void): () => void {
  process.on('SIGINT', told).on('SIGTERM', told);
  return () => void process.off('SIGINT', told).off('SIGTERM', told);
}

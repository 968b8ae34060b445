/**
 * The gateway process's end of the channel to its launcher: a heartbeat that proves that this loop turns, and the
 * news that the launcher is gone. Absent when the process was started without a launcher.
 */
export interface LauncherLink {
  /** Stops the heartbeat and lets go of the channel, so that it does not keep the process alive. */
  close(): void;
}

/** The launcher kills a process whose heartbeat it misses for 30 s by default. */
const HEARTBEAT_MS = 1_000;

/** Call it after the signal handlers stand: the launcher passes signals on only after the first heartbeat. */
export function linkToLauncher(onGone: () => void, everyMs = HEARTBEAT_MS): LauncherLink | undefined {
  if (!process.send || !process.connected) return undefined;
  let closed = false;
  let underway = false;
  const beat = (): void => {
    // One heartbeat at a time: a launcher that is held up must not fill this process's memory.
    if (underway || !process.connected) return;
    underway = true;
    // A failed send means that the channel is closing, which 'disconnect' tells.
    process.send?.({ type: 'beat' }, undefined, undefined, () => {
      underway = false;
    });
  };
  const timer = setInterval(beat, everyMs);
  process.once('disconnect', () => {
    clearInterval(timer);
    if (!closed) onGone();
  });
  beat();
  return {
    close() {
      closed = true;
      clearInterval(timer);
      if (process.connected) process.disconnect();
    },
  };
}

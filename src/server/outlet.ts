/**
 * The way out to one client. Numbers its events, writes what comes together in one go, and ends a client that does not
 * read: its backlog would otherwise grow in our memory.
 */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Clock, TimerHandle } from '../supervisor/clock.ts';
import type { ServerLimits } from './limits.ts';
import { eventText } from './protocol/frames.ts';

export interface Outlet {
  send(text: string): void;
  /** `droppable`: left out, and not numbered, while the client lags. False: it was not sent. */
  event(event: string, payloadText: string, droppable?: boolean): boolean;
  ping(): void;
  /** Sends a close frame and ends the socket soon after, whether the client answers or not. The first call counts. */
  close(code: number, reason: string): void;
  terminate(): void;
  /** What `close` was first called with. */
  readonly closing: { readonly code: number; readonly reason: string } | undefined;
}

export function createOutlet(
  ws: WebSocket,
  socket: Socket,
  deps: { clock: Clock; limits: ServerLimits },
): Outlet {
  const { clock, limits } = deps;
  const cork = createCork(socket);
  let seq = 0;
  let closing: { code: number; reason: string } | undefined;
  let goodbye: TimerHandle | undefined;
  /** Bytes of one large reply that was asked for and is on its way: not a sign of a slow reader. */
  let allowance = 0;
  const backlog = (): number => ws.bufferedAmount - allowance;
  const close = (code: number, reason: string): void => {
    if (closing) return;
    closing = { code, reason };
    ws.close(code, reason);
    goodbye = clock.setTimeout(() => ws.terminate(), limits.goodbyeMs);
  };
  const open = (): boolean => {
    if (closing || ws.readyState !== WebSocket.OPEN) return false;
    if (backlog() > limits.backlogBytes) close(1013, 'slow consumer');
    return !closing;
  };
  const write = (text: string, what: 'answer' | 'event'): void => {
    cork(what);
    const large = text.length > limits.backlogBytes && allowance === 0;
    if (large) allowance = Buffer.byteLength(text);
    ws.send(text, () => {
      if (large) allowance = 0;
    });
  };
  ws.once('close', () => clock.clearTimeout(goodbye));
  return {
    get closing() {
      return closing;
    },
    close,
    terminate: () => ws.terminate(),
    ping() {
      if (open()) ws.ping();
    },
    send(text) {
      if (open()) write(text, 'answer');
    },
    event(event, payloadText, droppable = false) {
      if (!open() || (droppable && backlog() > limits.backlogBytes / 2)) return false;
      seq += 1;
      write(eventText(event, payloadText, seq), 'event');
      return true;
    },
  };
}

/**
 * Holds the socket back, so that what is said together leaves in one write: a write is a call of the system, and costs
 * more than the frames in it. Answers leave when the turn is over, events when the loop has gone round.
 */
export function createCork(socket: Socket): (what: 'answer' | 'event') => void {
  let corked = false;
  const release = (): void => {
    if (!corked) return;
    corked = false;
    socket.uncork();
  };
  return (what) => {
    if (what === 'answer') process.nextTick(release);
    if (corked) return;
    corked = true;
    socket.cork();
    if (what === 'event') setImmediate(release);
  };
}

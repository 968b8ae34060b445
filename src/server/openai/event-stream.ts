/** Server-sent events to one reader, at the reader's pace. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../supervisor/clock.ts';

/** The reader takes nothing any more. */
export class Stalled extends Error {}

export interface EventStream {
  /** Something has been sent, so the status is. */
  readonly begun: boolean;
  /** Resolves when there is room for more. Rejects with Stalled after `stallMs` without any; the socket is ended then. */
  data(value: object | string): Promise<void>;
  comment(text: string): Promise<void>;
  /** `last`: nothing follows on this connection. */
  end(last?: boolean): void;
}

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Proxies that gather output would undo the streaming.
  'x-accel-buffering': 'no',
};

/** The head goes out with the first word, so that what fails before can still be answered with a status. */
export function openEventStream(
  outgoing: ServerResponse,
  options: {
    readonly clock: Clock;
    readonly stallMs: number;
    readonly headers: Readonly<Record<string, string>>;
  },
): EventStream {
  const { clock, stallMs, headers } = options;
  const room = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clock.clearTimeout(timer);
        outgoing.off('drain', drained).off('close', drained);
        end();
      };
      // A reader that has left is found out elsewhere; here it only must not be waited for.
      const drained = (): void => settle(resolve);
      const timer = clock.setTimeout(() => {
        settle(() => reject(new Stalled()));
        outgoing.destroy();
      }, stallMs);
      outgoing.on('drain', drained).on('close', drained);
    });
  const write = async (text: string): Promise<void> => {
    if (outgoing.destroyed) return;
    if (!outgoing.headersSent) outgoing.writeHead(200, { ...headers, ...HEADERS });
    if (!outgoing.write(text) && !outgoing.destroyed) await room();
  };
  return {
    get begun() {
      return outgoing.headersSent;
    },
    data: (value) => write(`data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`),
    comment: (text) => write(`: ${text}\n\n`),
    end(last = false) {
      const { socket } = outgoing;
      outgoing.end(() => (last ? socket?.destroySoon() : undefined));
    },
  };
}

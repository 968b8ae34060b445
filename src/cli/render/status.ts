import type { HealthView } from '../../server/port.ts';
import type { Colour, Paint } from './style.ts';
import { safe, span } from './text.ts';

/** The answer to `status`, as far as it is shown. */
export interface StatusView {
  readonly pid: number;
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly version: string;
  readonly protocol: number;
  readonly health: Pick<
    HealthView,
    'grade' | 'reasons' | 'channels' | 'channelOrder' | 'channelLabels' | 'sessions'
  >;
}

const COLOURS: Readonly<Record<HealthView['grade'], Colour>> = {
  ok: 'green',
  degraded: 'yellow',
  failing: 'red',
};

/** A few lines: the grade with its reasons first, then who, where and since when. */
export function renderStatus(status: StatusView, url: string, paint: Paint): string[] {
  const { health } = status;
  return [
    `${paint(COLOURS[health.grade], health.grade)}  coppice ${safe(status.version)} at ${url}`,
    ...health.reasons.map((reason) => `  - ${safe(reason)}`),
    `process   ${status.pid}, up ${span(status.uptimeMs)}`,
    `sessions  ${health.sessions.count}`,
    ...health.channelOrder.map(
      (id) => `channel   ${safe(health.channelLabels[id] ?? id)}: ${channelState(health.channels[id])}`,
    ),
  ];
}

function channelState(channel: unknown): string {
  if (typeof channel !== 'object' || channel === null) return 'unknown';
  const { state, status } = channel as { state?: unknown; status?: unknown };
  const shown = state ?? status;
  return typeof shown === 'string' ? safe(shown) : 'unknown';
}

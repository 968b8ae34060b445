/** The slow events: `tick`, `health` when the grade changes, `tree` for those who want it, and the pings. */
import type { TreeNode } from '../supervisor/registry.ts';
import type { Clock } from '../supervisor/clock.ts';
import type { Clients } from './clients.ts';
import type { ServerLimits } from './limits.ts';
import type { GatewayPort, HealthView } from './port.ts';
import { fitTree } from './protocol/fit.ts';
import { fullHealth } from './protocol/health-view.ts';
import { createThrottle, every, guarded, type Fault } from './throttle.ts';

export interface WatchFeed {
  /** Not older than a second: a thousand clients that come back at once must not ask a thousand times. */
  recentHealth(): HealthView;
  /** Rises with every change of the grade. */
  readonly healthVersion: number;
  stop(): void;
}

const HEALTH_AGE_MS = 1_000;

export function createWatchFeed(deps: {
  port: GatewayPort;
  clock: Clock;
  limits: ServerLimits;
  clients: Clients;
  fault: Fault;
}): WatchFeed {
  const { port, clock, limits, clients, fault } = deps;
  const health = createHealthWatch(deps);
  let shownTree = '';
  const showTree = (): void => {
    if (!clients.treeWanted) return;
    const tree = port.tree();
    const shape = treeShape(tree);
    if (shape === shownTree) return;
    shownTree = shape;
    const payload = { ts: Math.round(port.now()), ...fitTree(tree, limits.treeEventBytes) };
    clients.broadcast('tree', payload, { scope: 'operator.read', treeOnly: true });
  };
  const tree = createThrottle(clock, limits.treeMs, guarded(fault, 'tree event', showTree));
  const lookAtHealth = guarded(fault, 'health event', health.look);
  const look = createThrottle(clock, limits.treeMs, lookAtHealth);
  const stops = [
    port.onFact((fact) => {
      if (clients.treeWanted) tree.poke();
      if (fact.severity === 'error' || fact.severity === 'fatal') look.poke();
    }),
    every(clock, limits.tickMs, () => clients.broadcast('tick', { ts: Math.round(port.now()) })),
    every(
      clock,
      limits.pingMs,
      guarded(fault, 'ping', () => clients.sweep()),
    ),
    every(clock, limits.healthMs, lookAtHealth),
    every(clock, limits.treePollMs, () => {
      if (clients.treeWanted) tree.poke();
    }),
    () => tree.stop(),
    () => look.stop(),
  ];
  return {
    recentHealth: health.recent,
    get healthVersion() {
      return health.version;
    },
    stop: () => {
      for (const stop of stops) stop();
    },
  };
}

function createHealthWatch({ port, clients }: { port: GatewayPort; clients: Clients }) {
  let last: HealthView | undefined;
  let lookedAt = -Infinity;
  let version = 0;
  const refresh = (): HealthView => {
    const view = fullHealth(port);
    lookedAt = port.now();
    const changed = last !== undefined && last.grade !== view.grade;
    last = view;
    if (changed) {
      version += 1;
      clients.broadcast('health', view, { scope: 'operator.read' });
    }
    return view;
  };
  return {
    get version() {
      return version;
    },
    look: () => void refresh(),
    recent: (): HealthView => (last && port.now() - lookedAt < HEALTH_AGE_MS ? last : refresh()),
  };
}

/** What makes a tree look different: everything but the ages, which change all the time. */
function treeShape(tree: TreeNode): string {
  return JSON.stringify(tree, (name, value: unknown) => (name === 'progressAgeMs' ? undefined : value));
}

/**
 * Who may import whom: section 3 of the plan of the house, as data.
 *
 *   door       cli > gateway < index            gateway imports every room below; none imports it
 *   storey 3   server | actors | telemetry | health | checks | cluster
 *   storey 2   host | channels | models | tools | store      never each other, but all may use host
 *   storey 1   config
 *   storey 0   machines | supervisor            no Node, no DOM
 *   ground     bus | errors                     no Node, no DOM
 */
import { dirname, join } from 'node:path';
import { imports } from './parsed.ts';
import type { Import, Source } from './parsed.ts';

export interface Room {
  /** Rooms whose values it may import. Types may come from there as well. */
  readonly uses: readonly string[];
  /** Files it may import as types, beyond `uses`. */
  readonly types?: readonly string[];
  /** Packages it may import. Absent: any. */
  readonly packages?: readonly string[];
  /** No Node, no DOM. */
  readonly pure?: boolean;
  /** Why, for whoever breaks it. */
  readonly because: string;
}

/** The contracts: types that name no implementation, so that both sides of a door can speak of the same thing. */
const CONTRACTS = ['channels/contract.ts', 'models/contract.ts', 'tools/contract.ts', 'store/contract.ts'];
/** The clock port and the shape of the live tree are data that every storey speaks of. */
const PORTS = [
  'supervisor/clock.ts',
  'supervisor/registry.ts',
  'supervisor/scope.ts',
  'supervisor/child-spec.ts',
  'supervisor/index.ts',
];
const BELOW = ['errors', 'bus', 'host', 'config'];
const ROOMS_BELOW_THE_DOOR = [
  ...BELOW,
  'machines',
  'supervisor',
  'channels',
  'models',
  'tools',
  'store',
  'server',
  'actors',
  'telemetry',
  'health',
  'checks',
  'cluster',
];
const WORLD =
  'rooms of the second storey touch the world, each behind a contract, and never know each other (host is for all); what joins them is an actor';
const OBSERVER =
  'observers get facts and read models handed in; if they imported actors or machines, deleting them would be noticed';

export const ROOMS: Readonly<Record<string, Room>> = {
  errors: {
    uses: [],
    packages: [],
    pure: true,
    because: 'the table of errors is open to every room and host, so it imports nothing',
  },
  bus: {
    uses: ['errors'],
    packages: ['xstate'],
    pure: true,
    because: 'the bus is the ground: it knows facts and errors, nothing else',
  },
  machines: {
    uses: ['errors'],
    types: ['bus/events.ts', 'bus/trace.ts', 'bus/index.ts'],
    packages: ['xstate'],
    pure: true,
    because:
      'machines decide and touch nothing: effects are handed in by name, facts leave by emit(), and of the bus they know types only',
  },
  supervisor: {
    uses: ['errors'],
    types: ['bus/events.ts', 'bus/trace.ts', 'bus/index.ts'],
    packages: ['xstate'],
    pure: true,
    because: 'the supervisor knows child specs, not children; of the bus it knows types only',
  },
  config: {
    uses: ['errors', 'bus'],
    because: 'configuration is what the operator said; it imports nobody who acts on it',
  },
  host: { uses: ['errors', 'bus', 'config'], types: PORTS, because: WORLD },
  channels: { uses: BELOW, types: [...PORTS, 'channels/contract.ts'], because: WORLD },
  models: { uses: BELOW, types: PORTS, because: WORLD },
  tools: { uses: BELOW, types: PORTS, because: WORLD },
  store: { uses: BELOW, types: PORTS, because: WORLD },
  server: {
    uses: BELOW,
    types: [...PORTS, ...CONTRACTS],
    because:
      'the server knows frames, tokens and limits; it is handed a GatewayPort and sees the rest only as plain types',
  },
  dashboard: {
    uses: [],
    types: [...PORTS, ...CONTRACTS, 'server/port.ts', 'bus/events.ts'],
    packages: [],
    because:
      'the dashboard runs in a browser and is served file by file; it talks to the gateway over its socket and knows the rest as types',
  },
  actors: {
    uses: [...BELOW, 'machines', 'supervisor', 'channels', 'models', 'tools', 'store'],
    types: ['server/port.ts'],
    because:
      'actors join decisions to the world, and nobody else does; of the server they know the shapes of its port',
  },
  telemetry: { uses: BELOW, types: [...PORTS, ...CONTRACTS], because: OBSERVER },
  health: { uses: BELOW, types: [...PORTS, ...CONTRACTS, 'server/port.ts'], because: OBSERVER },
  checks: {
    uses: BELOW,
    types: [...PORTS, ...CONTRACTS],
    because: 'checks get evidence handed in, so that each is a pure function',
  },
  cluster: { uses: [...BELOW, 'store'], types: [...PORTS, ...CONTRACTS], because: OBSERVER },
  gateway: {
    uses: ROOMS_BELOW_THE_DOOR,
    because: 'the gateway composes the rooms; the doors above it are not its business',
  },
  index: {
    uses: ['gateway', ...ROOMS_BELOW_THE_DOOR],
    because: 'the public face offers the gateway and the contracts',
  },
  cli: {
    uses: ['index', 'gateway', ...BELOW, 'store', 'telemetry', 'checks', 'testing'],
    types: [...PORTS, ...CONTRACTS, 'server/port.ts'],
    because: 'the command line goes through the gateway; with a running one it speaks the wire protocol',
  },
  'ai-sdk': {
    uses: ['machines'],
    packages: ['@ai-sdk/provider'],
    because:
      'what other agents take along is a machine and plain functions around it: it must run wherever the AI SDK does, without the rest of the house',
  },
  testing: {
    uses: ['index', 'gateway', ...ROOMS_BELOW_THE_DOOR],
    because: 'the test kit may see every room, but only tests and the command line see it',
  },
};

/** Rooms without one front door: every machine and every actor is a door of its own (`coppice/machines/session`). */
const OPEN_ROOMS = new Set(['machines', 'actors', 'errors', 'index', 'gateway']);
/** Doors beside index.ts: contracts, ports, and the plain types every room speaks of. */
const SIDE_DOORS = new Set([...CONTRACTS, ...PORTS, 'server/port.ts', 'bus/events.ts', 'bus/trace.ts']);
/** Telemetry is a row of small observers, each a room of its own: `telemetry/log/index.ts`, `telemetry/aggregate.ts`. */
const INNER_DOOR = /^telemetry\/[\w-]+(?:\/index)?\.ts$/;
/** A side door that holds a value: the class of what a provider throws. */
const SIDE_VALUES = new Set([
  'models/contract.ts',
  'channels/contract.ts',
  'tools/contract.ts',
  'store/contract.ts',
]);
/** A package that belongs to one room. */
const OWNED_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'node:sqlite': ['store'],
  pino: ['telemetry'],
  'pino-pretty': ['telemetry'],
  hono: ['server', 'channels'],
  'jsonc-parser': ['config', 'cli'],
  commander: ['cli'],
};

/** `src/bus/tap.ts` is in bus; `src/errors.ts` is a room of its own. */
export function roomOf(path: string): string {
  if (path.startsWith('src/server/dashboard/')) return 'dashboard';
  const [first = '', ...rest] = path.replace(/^src\//, '').split('/');
  return rest.length > 0 ? first : first.replace(/\.tsx?$/, '');
}

export function complaints(source: Source): string[] {
  const room = roomOf(source.path);
  const rules = ROOMS[room];
  if (!rules)
    return [
      `${source.path}: there is no room "${room}" in test/tidy/rooms.ts; give the file a room, or the room its rules`,
    ];
  return imports(source).flatMap((found) => {
    const reason = found.from.startsWith('.')
      ? refuseRoom(source.path, room, rules, found)
      : refusePackage(room, rules, found);
    return reason ? [`${source.path}:${found.line}: ${reason}`] : [];
  });
}

function refusePackage(room: string, rules: Room, { from }: Import): string | undefined {
  const name = from.startsWith('node:')
    ? from
    : from
        .split('/')
        .slice(0, from.startsWith('@') ? 2 : 1)
        .join('/');
  if (rules.packages && !rules.packages.includes(name)) {
    return `${room} may not import "${from}" (allowed: ${rules.packages.join(', ') || 'nothing'}). Why: ${rules.because}.`;
  }
  const owners = OWNED_PACKAGES[name];
  if (owners && !owners.includes(room))
    return `"${from}" belongs to ${owners.join(', ')}. Ask that room for what you need instead of opening a second way to it.`;
  return undefined;
}

function refuseRoom(path: string, room: string, rules: Room, { from, typeOnly }: Import): string | undefined {
  const target = join(dirname(path), from);
  if (!target.startsWith('src/')) return undefined;
  const file = target.replace(/^src\//, '');
  const other = roomOf(target);
  if (other === room) return undefined;
  const asType = typeOnly && (rules.types ?? []).includes(file);
  if (!rules.uses.includes(other) && !asType) {
    const types = rules.types?.length ? `, and as types ${rules.types.join(', ')}` : '';
    return `${room} may not import ${typeOnly ? 'types of ' : ''}${file} (allowed: ${rules.uses.join(', ') || 'nothing'}${types}). Why: ${rules.because}.`;
  }
  return refuseDoor(other, file, typeOnly);
}

function refuseDoor(other: string, file: string, typeOnly: boolean): string | undefined {
  if (OPEN_ROOMS.has(other) || file === `${other}/index.ts` || INNER_DOOR.test(file)) return undefined;
  if (typeOnly && SIDE_DOORS.has(file)) return undefined;
  if (SIDE_VALUES.has(file)) return undefined;
  return `enter ${other} by ${other}/index.ts, not by ${file} (its contract and its ports may be imported with "import type"). What is not exported there is the room's own affair.`;
}

/** Rooms that reach each other both ways, as a chain that ends where it began. Types count: they too must be read together. */
export function roomCycle(all: readonly Source[]): string[] | undefined {
  const edges = new Map<string, Set<string>>();
  for (const source of all) {
    const room = roomOf(source.path);
    for (const { from, typeOnly } of imports(source)) {
      const target = join(dirname(source.path), from);
      const other = roomOf(target);
      // Contracts and ports are neutral ground: both sides read them, neither reaches the other through them.
      const neutral = typeOnly && SIDE_DOORS.has(target.replace(/^src\//, ''));
      if (from.startsWith('.') && other !== room && !neutral)
        edges.set(room, (edges.get(room) ?? new Set()).add(other));
    }
  }
  return [...edges.keys()]
    .map((room) => chain(room, room, edges, new Set()))
    .find((found) => found !== undefined);
}

function chain(
  at: string,
  goal: string,
  edges: ReadonlyMap<string, ReadonlySet<string>>,
  seen: Set<string>,
): string[] | undefined {
  for (const next of edges.get(at) ?? []) {
    if (next === goal) return [at, goal];
    if (seen.has(next)) continue;
    seen.add(next);
    const rest = chain(next, goal, edges, seen);
    if (rest) return [at, ...rest];
  }
  return undefined;
}

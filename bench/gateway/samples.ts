/** A CPU profile of Node as time by group: whose code ran, and for XState, for which actor. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Profile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds of the monotonic clock, as `process.hrtime`. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
  readonly positionTicks?: readonly { readonly line: number; readonly ticks: number }[];
}

export interface Share {
  readonly group: string;
  readonly ms: number;
}

/** First match counts. The url of a frame, or that of its nearest caller that has one. */
const GROUPS: readonly (readonly [RegExp, string])[] = [
  [/node_modules\/xstate\//, 'XState'],
  [/\/src\/machines\//, 'machines'],
  [/\/src\/supervisor\//, 'supervisor'],
  [/\/src\/store\/|node:sqlite|node:internal\/worker|worker_threads/, 'store (main thread)'],
  [/\/src\/bus\//, 'bus'],
  [/\/src\/telemetry\/|node_modules\/(pino|sonic-boom|thread-stream)/, 'log'],
  [/\/src\/models\//, 'model (loopback)'],
  [/\/src\/server\/|\/src\/channels\//, 'server'],
  [/node_modules\/zod\//, 'zod'],
  [/node_modules\/ws\/|node:(internal\/)?(net|stream|streams|stream_base_commons|dgram|buffer)/, 'sockets'],
  [/node:internal\/(abort_controller|event_target|webidl)/, 'AbortSignal and EventTarget'],
  [
    /node:internal\/(timers|process|async|promise|util)|node:(timers|async_hooks|events)/,
    'Node: timers, ticks',
  ],
  [/\/src\/(actors|host)\//, 'actors and effects'],
  [/\/src\//, 'gateway, rest'],
  [/^node:/, 'Node, rest'],
];
const ALONE: Readonly<Record<string, string>> = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'native, unnamed',
};
const MARKER = 'actor$';

interface Place {
  readonly group: string;
  readonly actor: string;
}

/** CPU time between two times of the monotonic clock, in microseconds; idle time is left out. Largest first. */
export function sharesOf(
  profile: Profile,
  fromUs: number,
  toUs: number,
): { readonly groups: Share[]; readonly actors: Share[] } {
  const places = placesOf(profile.nodes);
  const groups = new Map<string, number>();
  const actors = new Map<string, number>();
  const add = (to: Map<string, number>, key: string, us: number): void =>
    void to.set(key, (to.get(key) ?? 0) + us);
  let atUs = profile.startTime;
  for (const [at, id] of profile.samples.entries()) {
    const us = profile.timeDeltas[at + 1] ?? 0;
    atUs += profile.timeDeltas[at] ?? 0;
    if (atUs < fromUs || atUs > toUs) continue;
    for (const [{ group, actor }, share] of places.get(id) ?? []) {
      if (group === '(idle)' || share === 0) continue;
      add(groups, group, us * share);
      if (group === 'XState' || group === 'machines') add(actors, actor, us * share);
    }
  }
  return { groups: sorted(groups), actors: sorted(actors) };
}

const sorted = (found: Map<string, number>): Share[] =>
  [...found].map(([group, us]) => ({ group, ms: us / 1_000 })).toSorted((a, b) => b.ms - a.ms);

/** Of each node its places, and which part of its own time belongs to each. */
function placesOf(nodes: readonly ProfileNode[]): Map<number, [Place, number][]> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const places = new Map<number, [Place, number][]>();
  const visit = (node: ProfileNode, callerGroup: string, callerActor: string): void => {
    const { functionName, url } = node.callFrame;
    const actor = functionName.startsWith(MARKER)
      ? functionName.slice(MARKER.length).replaceAll('$', ' ')
      : callerActor;
    const isMarker = functionName.startsWith(MARKER) || url.endsWith('/markers.ts');
    const group = isMarker ? 'XState' : groupOf(node, callerGroup);
    const json = jsonShare(node);
    places.set(node.id, [
      [{ group, actor }, 1 - json],
      [{ group: 'JSON', actor }, json],
    ]);
    for (const id of node.children ?? []) visit(byId.get(id)!, group, actor);
  };
  const root = nodes[0];
  if (root) visit(root, 'native, unnamed', 'outside');
  return places;
}

function groupOf({ callFrame: { functionName, url } }: ProfileNode, callerGroup: string): string {
  if (functionName === '(idle)') return functionName;
  const alone = ALONE[functionName];
  if (alone) return alone;
  // A function of the engine has no url: its time is its caller's.
  if (url === '')
    return /^write(v|Utf8String|Latin1String|Buffer)$/.test(functionName) ? 'sockets' : callerGroup;
  return GROUPS.find(([pattern]) => pattern.test(url))?.[1] ?? 'rest';
}

const lines = new Map<string, readonly string[]>();

/** The profiler gives the time of JSON.parse and JSON.stringify to the line that calls them. */
function jsonShare({ callFrame: { url }, positionTicks = [] }: ProfileNode): number {
  if (!url.startsWith('file:') || positionTicks.length === 0) return 0;
  const text = textOf(url);
  let [json, all] = [0, 0];
  for (const { line, ticks } of positionTicks) {
    all += ticks;
    if (/JSON\.(parse|stringify)/.test(text[line - 1] ?? '')) json += ticks;
  }
  return json / all;
}

function textOf(url: string): readonly string[] {
  let text = lines.get(url);
  if (!text) lines.set(url, (text = readFileSync(fileURLToPath(url), 'utf8').split('\n')));
  return text;
}

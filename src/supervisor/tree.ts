import type { AnyActorRef, EventObject } from 'xstate';
import { CoppiceError, normalizeError } from '../errors.ts';
import type { Clock } from './clock.ts';
import { heldBy, newLife, type Life } from './life.ts';
import { isPartitionId } from './partition-key.ts';
import {
  STASH_LIMIT,
  type NodeKind,
  type NodeStatus,
  type Registry,
  type TellOptions,
  type TellResult,
  type TreeNode,
  type Watcher,
} from './registry.ts';
import type { Scope } from './scope.ts';

/** One row: what a path is now, also while nobody lives there. */
export interface Entry {
  readonly path: string;
  readonly id: string;
  readonly kind: NodeKind;
  readonly children: Map<string, Entry>;
  readonly parent: Entry | undefined;
  ref: AnyActorRef | undefined;
  scope: Scope | undefined;
  incarnation: number;
  /** Where the supervisor's rules keep this child: read when somebody looks, so that an exit costs nothing here. */
  rules: { readonly children: ReadonlyMap<string, Ruled>; readonly key: string } | undefined;
  progressAt: number;
  /** Of the living incarnation. */
  life: Life | undefined;
}

interface Ruled {
  readonly status: NodeStatus | 'stopped';
  readonly restarts: number;
  readonly incarnation: number;
}

/** The path is forgotten: whoever comes to live there later is somebody else. */
type PathWatcher = Watcher & { forgotten?(): void };

/** The writing side, for supervisors and the wrapper of nested actors. */
export interface Table extends Registry {
  watch(path: string, watcher: PathWatcher): () => void;
  /** `over` is the path of the supervisor; a partition is not what the path says. */
  enter(path: string, kind: NodeKind, over?: string): Entry;
  began(entry: Entry, ref: AnyActorRef, incarnation: number, scope: Scope | undefined): void;
  ended(entry: Entry, reason: string): void;
  remove(entry: Entry): void;
  entry(path: string): Entry | undefined;
  /** Sends what waited for this start. */
  flush(entry: Entry): void;
  /** What waits for a child that no longer is about to start becomes dead letters. */
  sweep(): void;
  entryOf(ref: AnyActorRef): Entry | undefined;
}

export interface TableEnv {
  readonly clock: Clock;
  readonly deadLetter: (to: string, event: EventObject) => void;
  readonly watcherFailed: (path: string, error: ReturnType<typeof normalizeError>) => void;
}

/** `/ # %` and control characters of an id, percent-encoded: an id is one segment whatever it contains. */
export function encodeSegment(id: string): string {
  if (!UNSAFE.test(id)) return id;
  return id.replaceAll(
    /[/#%\p{Cc}]/gu,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

const UNSAFE = /[/#%\p{Cc}]/u;

export function createTable(env: TableEnv): Table {
  const entries = new Map<string, Entry>();
  /** On the actor itself, as in `contain.ts`. Each table has its own. */
  const ENTRY = Symbol('entry');
  type Marked = AnyActorRef & { [ENTRY]?: Entry };
  const entryOf = (ref: AnyActorRef): Entry | undefined => (ref as Marked)[ENTRY];
  const watchers = new Map<string, Set<PathWatcher>>();
  let root: Entry | undefined;

  const notify = (path: string, call: (watcher: PathWatcher) => void): void => {
    const set = watchers.get(path);
    if (!set) return;
    for (const watcher of [...set]) later(path, set, watcher, call);
  };
  // In a turn of its own: a watcher may talk to the very supervisor that is in the middle of its step.
  const later = (
    path: string,
    set: Set<PathWatcher>,
    watcher: PathWatcher,
    call: (watcher: PathWatcher) => void,
  ): void =>
    env.clock.defer(() => {
      if (!set.has(watcher)) return;
      try {
        call(watcher);
      } catch (error) {
        env.watcherFailed(path, normalizeError(error));
      }
    });

  const stashes = new Map<Entry, EventObject[]>();
  function tell(path: string, event: EventObject): 'sent' | 'noproc';
  function tell(path: string, event: EventObject, options?: TellOptions): TellResult;
  function tell(path: string, event: EventObject, options?: TellOptions): TellResult {
    // XState would fail the receiver for it, and that may be a supervisor.
    if (typeof (event as EventObject | undefined)?.type !== 'string') throw noEvent(path, event);
    const entry = entries.get(path);
    if (entry?.ref) {
      entry.ref.send(event);
      return 'sent';
    }
    if (options?.stash && entry && isComing(entry)) {
      const stash = stashes.get(entry) ?? [];
      stashes.set(entry, stash);
      if (stash.length < STASH_LIMIT) {
        stash.push(event);
        return 'stashed';
      }
    }
    env.deadLetter(path, event);
    return 'noproc';
  }
  const unstash = (entry: Entry): readonly EventObject[] => {
    const stash = stashes.get(entry) ?? [];
    stashes.delete(entry);
    return stash;
  };

  const enter = (path: string, kind: NodeKind, over?: string): Entry => {
    const present = entries.get(path);
    if (present && (over === undefined || present.parent?.path === over)) return present;
    // What a partition left that is down, under a path that another one now holds.
    if (present) remove(present);
    const cut = path.lastIndexOf('/');
    // A root enters its children while it is being created, before it is entered itself.
    const parent = cut < 0 ? undefined : enter(over ?? path.slice(0, cut), 'supervisor');
    const entry: Entry = {
      path,
      kind,
      parent,
      id: path.slice(cut + 1),
      children: new Map(),
      ref: undefined,
      scope: undefined,
      incarnation: 0,
      rules: undefined,
      progressAt: env.clock.now(),
      life: undefined,
    };
    entries.set(path, entry);
    parent?.children.set(entry.id, entry);
    if (cut < 0) root = entry;
    return entry;
  };

  const remove = (entry: Entry): void => {
    for (const child of [...entry.children.values()]) remove(child);
    for (const event of unstash(entry)) env.deadLetter(entry.path, event);
    entries.delete(entry.path);
    entry.parent?.children.delete(entry.id);
    notify(entry.path, (w) => w.forgotten?.());
  };

  const show = (entry: Entry, now: number): TreeNode => ({
    path: entry.path,
    id: entry.id,
    kind: entry.kind,
    state: read(() => stateOf(entry), 'unreadable'),
    incarnation: ruled(entry)?.incarnation ?? entry.incarnation,
    // What a machine invokes is started anew as often as it likes; only supervisors restart.
    restarts: ruled(entry)?.restarts ?? 0,
    status: statusOf(entry),
    queued: read(() => queueOf(entry.ref), 0),
    ...suspension(entry),
    progressAgeMs: Math.max(0, Math.round(now - entry.progressAt)),
    children: listed(entry).map((child) => show(child, now)),
  });

  return {
    tell,
    scope: (path) => entries.get(path)?.scope,
    whereis(ref) {
      const entry = entryOf(ref);
      return entry && { path: entry.path, incarnation: entry.incarnation };
    },
    peek: (path) => entries.get(path)?.ref?.getSnapshot(),
    incarnation: (path) => {
      const entry = entries.get(path);
      return entry?.ref ? entry.incarnation : undefined;
    },
    watch(path, told) {
      // One of its own, so that who watches a path twice with one object watches it twice.
      const watcher: PathWatcher = {
        up: (incarnation) => told.up?.(incarnation),
        down: (incarnation, reason) => told.down?.(incarnation, reason),
        forgotten: () => told.forgotten?.(),
      };
      const set = watchers.get(path) ?? new Set();
      watchers.set(path, set);
      set.add(watcher);
      const { ref, incarnation = 0 } = entries.get(path) ?? {};
      // Of now: when it is told, there may be another life.
      if (ref) later(path, set, watcher, (w) => w.up?.(incarnation));
      else later(path, set, watcher, (w) => w.down?.(incarnation, 'noproc'));
      return () => {
        set.delete(watcher);
        if (set.size === 0 && watchers.get(path) === set) watchers.delete(path);
      };
    },
    tree() {
      if (!root) throw new Error('no root supervisor was started');
      return show(root, env.clock.now());
    },
    node(path) {
      const entry = entries.get(path);
      return entry && show(entry, env.clock.now());
    },
    enter,
    began(entry, ref, incarnation, scope) {
      entry.ref = ref;
      entry.scope = scope;
      entry.incarnation = incarnation;
      entry.progressAt = env.clock.now();
      entry.life = newLife(entry.progressAt);
      (ref as Marked)[ENTRY] = entry;
      notify(entry.path, (w) => w.up?.(incarnation));
    },
    ended(entry, reason) {
      if (!entry.ref) return;
      const { incarnation } = entry;
      entry.ref = undefined;
      entry.scope = undefined;
      const held = entry.life?.hold?.events ?? [];
      const asked = entry.life?.asked ?? [];
      entry.life = undefined;
      for (const answer of asked) answer({ ok: false, reason: 'stopping' });
      for (const event of held) env.deadLetter(entry.path, event);
      notify(entry.path, (w) => w.down?.(incarnation, reason));
    },
    remove,
    flush(entry) {
      for (const event of unstash(entry)) tell(entry.path, event);
    },
    sweep() {
      if (stashes.size === 0) return;
      for (const entry of [...stashes.keys()]) {
        if (entry.ref || isComing(entry)) continue;
        for (const event of unstash(entry)) env.deadLetter(entry.path, event);
      }
    },
    entry: (path) => entries.get(path),
    entryOf,
  };
}

const noEvent = (path: string, event: EventObject | undefined): CoppiceError =>
  new CoppiceError('EVENT_INVALID', { path, type: typeof event?.type });

/** What a snapshot shows: one that cannot be read must not hide the others. */
function read<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

const ruled = (entry: Entry): Ruled | undefined => entry.rules?.children.get(entry.rules.key);

const isComing = (entry: Entry): boolean => {
  const status = ruled(entry)?.status;
  return status === 'backing-off' || status === 'starting';
};

function statusOf(entry: Entry): NodeStatus {
  const status = ruled(entry)?.status;
  if (status === undefined) return entry.ref ? 'running' : 'stopping';
  // Its actor is gone, and its scope is closing or its end waits for its turn.
  if (status === 'running' && !entry.ref) return 'stopping';
  return status === 'stopped' ? 'stopping' : status;
}

/** Stopped for good (terminated, ended normally) is not part of the living tree; going down or coming up is. */
const isShown = (entry: Entry): boolean =>
  entry.ref !== undefined || (ruled(entry)?.status ?? 'stopped') !== 'stopped';

/** A partition that lives is not part of the tree, its children are; one that is down stands for them. */
const listed = (entry: Entry): Entry[] =>
  [...entry.children.values()].flatMap((child) => {
    if (child.ref && isPartitionId(child.id)) return listed(child);
    return isShown(child) ? [child] : [];
  });

function stateOf(entry: Entry): string {
  if (!entry.ref) return ruled(entry)?.status ?? 'stopped';
  return stateName(entry.ref.getSnapshot());
}

/** The state of a machine, the phase of a supervisor, the status of anything else. */
export function stateName(shown: unknown): string {
  const snapshot = shown as { value?: unknown; status?: string; phase?: string } | undefined;
  if (snapshot?.phase) return snapshot.phase;
  return snapshot?.value === undefined ? (snapshot?.status ?? 'active') : dotted(snapshot.value);
}

/** `{ processing: 'running' }` as `processing.running`; parallel regions separated by commas. */
function dotted(value: unknown): string {
  if (typeof value === 'string') return value;
  return Object.entries(value as Record<string, unknown>)
    .map(([name, inner]) =>
      typeof inner === 'object' && inner && Object.keys(inner).length === 0
        ? name
        : `${name}.${dotted(inner)}`,
    )
    .join(',');
}

function queueOf(ref: AnyActorRef | undefined): number {
  const queue = (ref?.getSnapshot() as { context?: { queue?: unknown } } | undefined)?.context?.queue;
  return Array.isArray(queue) ? queue.length : 0;
}

function suspension({ life }: Entry): Pick<TreeNode, 'held'> {
  const held = heldBy(life);
  return held === undefined ? {} : { held };
}

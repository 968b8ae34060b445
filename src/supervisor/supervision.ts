import { createActor } from 'xstate';
import type { Actor, AnyActorLogic, AnyActorRef, EventObject, InspectionEvent } from 'xstate';
import { CoppiceError, normalizeError, type NormalError } from '../errors.ts';
import type { ChildSpec, SupervisorSpec } from './child-spec.ts';
import type { Clock } from './clock.ts';
import { contain, type ContainHooks } from './contain.ts';
import { createDoor } from './door.ts';
import { partitionedLogic, type PartitionedSpec } from './partition.ts';
import type { Reply } from './state.ts';
import type { Registry } from './registry.ts';
import type { Report } from './report.ts';
import { countChildren, fullSpec, NOBODY, sumOf, whichChildren } from './query.ts';
import type { ChildCount, ChildRow, FullChildSpec } from './query.ts';
import { destination, holders, shellAt, whichPartitions, type PartitionRow } from './route.ts';
import type { AdminCommand, SupervisorEnv, SupervisorLogic } from './shell.ts';
import { createSinks, type SinkFaults } from './sinks.ts';
import { supervisorLogic } from './supervisor.ts';
import { createSys, type Sys } from './sys.ts';
import { createTracer } from './trace.ts';
import type { Within } from './surround.ts';
import { createTurnBudget } from './turn-budget.ts';
import { createTable, type Entry } from './tree.ts';

/** What a supervision touches the world with. */
export interface SupervisionEnv {
  readonly clock: Clock;
  /** In [0, 1), for jitter. */
  random(): number;
  report(report: Report): void;
  /** An event had no living receiver. */
  deadLetter?(to: string, event: EventObject): void;
  watcherFailed?(path: string, error: NormalError): void;
  /**
   * Events that one child may take in one turn of the event loop; one more fails it, with TURN_BUDGET_EXCEEDED.
   * Default: no limit. `TURN_BUDGET` is our recommendation.
   */
  readonly turnBudget?: number;
  /**
   * Around everything that each actor does, so that its host can tell later whose work went astray: an action that is
   * `async`, a timer or listener of a callback. `runOwned` of `coppice/host` together with its process trap makes it
   * the failure of that actor. Default: nobody is told.
   */
  readonly within?: Within;
}

/** One tree: its table of paths, its supervisors, and what an operator may do to it. Several may live in one process. */
export interface Supervision {
  readonly registry: Registry;
  /** Suspends, resumes, traces and shows one actor while it runs. */
  readonly sys: Sys;
  /** Throws of `report`, `deadLetter`, `watcherFailed`, `ended` and inspectors; they reach nobody else and change nothing. */
  sinkFaults(): SinkFaults;
  /** Actor logic of a supervisor; throws SPEC_INVALID naming the field. */
  supervisor(spec: SupervisorSpec): SupervisorLogic;
  /**
   * Actor logic of a supervisor whose children are spread over partitions that fail apart. A partition is not part of a
   * path: everything below takes the path of the whole and of the child. Throws SPEC_INVALID naming the field.
   */
  partitioned(spec: PartitionedSpec): SupervisorLogic;
  /** Makes a logic that a machine invokes a node of the tree: contained, killable, visible. */
  nested<L extends AnyActorLogic>(
    logic: L,
    where: (input: never) => { readonly path: string; readonly incarnation: number },
  ): L;
  /**
   * Starts a whole tree whose root has this path. It stops when its root is sent `supervisor.shutdown`; `ended` is told
   * once, with the error if the root gave up. Throws SPEC_INVALID naming the field.
   */
  start(path: string, spec: SupervisorSpec, watch?: RootWatch): Actor<SupervisorLogic>;
  /** For a root that is started in another way: enters it, as no supervisor does. */
  root(ref: AnyActorRef, path: string): void;
  /**
   * Crashes one actor in the next macrotask; its supervisor (or the machine that invoked it) sees an ordinary failure.
   * Counts towards intensity only with `count`. Throws ACTOR_NOT_FOUND, or ACTOR_REFUSES for the root.
   */
  kill(
    path: string,
    options: { readonly by: string; readonly count?: boolean },
  ): { readonly path: string; readonly incarnation: number };
  /**
   * Holds one child down (its supervisor stops it first) or brings it back. Resolves when it is down, or about to
   * start. Rejects with ACTOR_NOT_FOUND, or ACTOR_REFUSES with the reason.
   */
  hold(
    path: string,
    order: 'park' | 'unpark',
  ): Promise<{ readonly path: string; readonly incarnation: number }>;
  /** Resolves with the supervisor's answer; `not_found` when nobody lives at `supervisorPath`. */
  admin(supervisorPath: string, command: AdminCommand): Promise<Reply>;
  /** `admin` for a start, answered in this turn unless the supervisor is in the middle of its own: then `pending`. */
  startChild(supervisorPath: string, spec: ChildSpec): Reply | 'pending';
  /**
   * Every child of a supervisor with the life it has, in start order (partition by partition, where there are any).
   * Throws ACTOR_NOT_FOUND without such a supervisor.
   */
  whichChildren(supervisorPath: string): readonly ChildRow[];
  /** Throws ACTOR_NOT_FOUND. */
  countChildren(supervisorPath: string): ChildCount;
  /** The child's spec with its defaults filled in; undefined for an id it does not know. Throws ACTOR_NOT_FOUND. */
  getChildSpec(supervisorPath: string, id: string): FullChildSpec | undefined;
  /** What the supervisor was made from; of a partitioned one, the supervisor over its partitions. Throws ACTOR_NOT_FOUND. */
  getSupervisorSpec(supervisorPath: string): SupervisorSpec;
  /** The partitions of a supervisor, from 0; none if it has none. Throws ACTOR_NOT_FOUND. */
  whichPartitions(supervisorPath: string): readonly PartitionRow[];
}

/** Told of what happens at the root. */
export interface RootWatch {
  ended?(error?: unknown): void;
  /** Every inspection event of the tree, as XState gives them. May throw here; handed to XState by yourself it may not. */
  inspect?(event: InspectionEvent): void;
}

export function createSupervision(init: SupervisionEnv): Supervision {
  const { clock, turnBudget, within } = init;
  const sinks = createSinks(within);
  const report = sinks.guard('report', (news: Report) => init.report(news));
  const deadLetter = sinks.guard('deadLetter', init.deadLetter);
  const watcherFailed = sinks.guard('watcherFailed', init.watcherFailed);
  const table = createTable({ clock, deadLetter, watcherFailed });
  const tracer = createTracer({
    clock,
    registry: table,
    failed: (path, error) => watcherFailed(path, normalizeError(error)),
  });
  const door = createDoor({
    table,
    tracer,
    deadLetter,
    report,
    now: () => clock.now(),
    spend: turnBudget === undefined ? undefined : createTurnBudget(clock, turnBudget),
  });
  const hooks: ContainHooks = { ...door, within };
  const env: SupervisorEnv = {
    clock: init.clock,
    random: init.random,
    table,
    shells: new WeakMap(),
    closing: new Map(),
    hooks,
    report,
  };

  const deliver = (to: Entry, command: AdminCommand, reply: (reply: Reply) => void): void => {
    const { ref, life } = to;
    if (!life || !ref || !env.shells.has(ref)) return reply({ ok: false, reason: 'not_found' });
    let open = true;
    const once = (answer: Reply): void => {
      if (!open) return;
      open = false;
      life.asked?.delete(once);
      reply(answer);
    };
    ref.send({ type: 'supervisor.admin', command, reply: once });
    if (!open) return;
    if (to.life === life) (life.asked ??= new Set()).add(once);
    else once({ ok: false, reason: 'stopping' });
  };

  const send = (supervisorPath: string, command: AdminCommand, reply: (reply: Reply) => void): void => {
    const to = destination(env, supervisorPath, command);
    if ('ok' in to) return reply(to);
    deliver(to, command, reply);
  };

  const crash = (entry: Entry, by: string, counted: boolean): void => {
    if (entry.parent?.kind === 'supervisor' && entry.rules) {
      deliver(entry.parent, { type: 'kill', id: entry.rules.key, counted, by }, () => {});
    } else {
      entry.ref?.send({ type: 'supervisor.kill', by, path: entry.path });
    }
  };

  const refusal = (path: string, operation: string, reason: string): CoppiceError =>
    new CoppiceError('ACTOR_REFUSES', { path, operation, reason });

  const hold: Supervision['hold'] = async (path, order) => {
    const entry = table.entry(path);
    if (!entry) throw new CoppiceError('ACTOR_NOT_FOUND', { path });
    const { parent, rules } = entry;
    if (!parent) throw refusal(path, order, 'it is the root');
    if (!rules) throw refusal(path, order, `no supervisor holds it; it lives and ends with ${parent.path}`);
    const reply = await new Promise<Reply>((resolve) =>
      deliver(parent, { type: order, id: rules.key }, resolve),
    );
    if (!reply.ok) throw refusal(path, order, reply.reason.replaceAll('_', ' '));
    return { path, incarnation: reply.incarnation ?? entry.incarnation };
  };

  const enterRoot: Supervision['root'] = (ref, path) =>
    table.began(table.enter(path, 'supervisor'), ref, 1, undefined);

  return {
    registry: table,
    sys: createSys(table, tracer),
    sinkFaults: sinks.faults,
    supervisor: (spec) => supervisorLogic(env, spec),
    partitioned: (spec) => partitionedLogic(env, spec),
    start(path, spec, { inspect, ended } = {}) {
      const over = sinks.guard('ended', ended);
      const options = { clock: init.clock, input: { path, incarnation: 1 } };
      const top = createActor(
        supervisorLogic(env, spec),
        inspect ? { ...options, inspect: sinks.guard('inspect', inspect) } : options,
      );
      enterRoot(top, path);
      top.subscribe({ complete: () => over(top.getSnapshot().output?.error), error: over });
      return top.start();
    },
    nested: (logic, where) =>
      contain(logic, {
        ...hooks,
        started(self, input) {
          const { path, incarnation } = where(input as never);
          table.began(table.enter(path, 'worker'), self, incarnation, undefined);
        },
        ended(self, reason) {
          const entry = table.entryOf(self);
          if (entry?.ref !== self) return;
          table.ended(entry, reason);
          table.remove(entry);
        },
      }),
    root: enterRoot,
    kill(path, { by, count }) {
      const entry = table.entry(path);
      if (!entry) throw new CoppiceError('ACTOR_NOT_FOUND', { path });
      if (!entry.parent)
        throw new CoppiceError('ACTOR_REFUSES', { path, operation: 'kill', reason: 'it is the root' });
      if (!entry.ref)
        throw new CoppiceError('ACTOR_REFUSES', { path, operation: 'kill', reason: 'it is not running' });
      const { incarnation, ref } = entry;
      init.clock.defer(() => {
        // This life, and not one that has its number under the same path.
        if (entry.ref === ref) crash(entry, by, count === true);
      });
      return { path, incarnation };
    },
    hold,
    admin: (supervisorPath, command) => new Promise((resolve) => send(supervisorPath, command, resolve)),
    startChild(supervisorPath, spec) {
      let answer: Reply | 'pending' = 'pending';
      send(supervisorPath, { type: 'start_child', spec }, (reply) => {
        answer = reply;
      });
      return answer;
    },
    whichChildren: (path) => holders(env, path).flatMap(whichChildren),
    countChildren: (path) => holders(env, path).map(countChildren).reduce(sumOf, NOBODY),
    getChildSpec: (path, id) =>
      holders(env, path)
        .map((shell) => fullSpec(shell, id))
        .find((spec) => spec),
    getSupervisorSpec: (path) => shellAt(env, path).spec,
    whichPartitions: (path) => whichPartitions(env, path),
  };
}

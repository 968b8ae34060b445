import type { AnyActorLogic, AnyActorRef, EventObject } from 'xstate';
import { CoppiceError, type NormalError } from '../errors.ts';
import type { ChildSpec, SupervisorSpec } from './child-spec.ts';
import type { Clock } from './clock.ts';
import { contain } from './contain.ts';
import type { Reply } from './state.ts';
import type { Registry } from './registry.ts';
import type { Report } from './report.ts';
import { countChildren, fullSpec, whichChildren } from './query.ts';
import type { ChildCount, ChildRow, FullChildSpec } from './query.ts';
import type { AdminCommand, Shell, SupervisorEnv, SupervisorLogic } from './shell.ts';
import { supervisorLogic } from './supervisor.ts';
import { createTable, type Entry } from './tree.ts';

export interface SupervisionEnv {
  readonly clock: Clock;
  /** In [0, 1), for jitter. */
  random(): number;
  report(report: Report): void;
  /** An event had no living receiver. */
  deadLetter?(to: string, event: EventObject): void;
  watcherFailed?(path: string, error: NormalError): void;
}

/** One tree: its table of paths, its supervisors, and what an operator may do to it. Several may live in one process. */
export interface Supervision {
  readonly registry: Registry;
  /** Actor logic of a supervisor; throws SPEC_INVALID naming the field. */
  supervisor(spec: SupervisorSpec): SupervisorLogic;
  /** Makes a logic that a machine invokes a node of the tree: contained, killable, visible. */
  nested<L extends AnyActorLogic>(
    logic: L,
    where: (input: never) => { readonly path: string; readonly incarnation: number },
  ): L;
  /** Enters the root actor, which no supervisor starts. */
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
  /** Every child of a supervisor with the life it has, in start order. Throws ACTOR_NOT_FOUND without such a supervisor. */
  whichChildren(supervisorPath: string): readonly ChildRow[];
  /** Throws ACTOR_NOT_FOUND. */
  countChildren(supervisorPath: string): ChildCount;
  /** The child's spec with its defaults filled in; undefined for an id it does not know. Throws ACTOR_NOT_FOUND. */
  getChildSpec(supervisorPath: string, id: string): FullChildSpec | undefined;
  /** What the supervisor was made from. Throws ACTOR_NOT_FOUND. */
  getSupervisorSpec(supervisorPath: string): SupervisorSpec;
}

export function createSupervision(init: SupervisionEnv): Supervision {
  const table = createTable({
    clock: init.clock,
    deadLetter: init.deadLetter ?? (() => {}),
    watcherFailed: init.watcherFailed ?? (() => {}),
  });
  const env: SupervisorEnv = {
    clock: init.clock,
    random: init.random,
    table,
    shells: new WeakMap(),
    report: init.report,
  };

  const shellAt = (path: string): Shell => {
    const ref = table.entry(path)?.ref;
    const shell = ref && env.shells.get(ref);
    if (!shell) throw new CoppiceError('ACTOR_NOT_FOUND', { path });
    return shell;
  };

  const send = (supervisorPath: string, command: AdminCommand, reply: (reply: Reply) => void): void => {
    const entry = table.entry(supervisorPath);
    if (entry?.kind !== 'supervisor' || !entry.ref) return reply({ ok: false, reason: 'not_found' });
    entry.ref.send({ type: 'supervisor.admin', command, reply });
  };

  const crash = (entry: Entry, by: string, counted: boolean): void => {
    if (entry.parent?.kind === 'supervisor' && entry.rules) {
      send(entry.parent.path, { type: 'kill', id: entry.rules.key, counted, by }, () => {});
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
      send(parent.path, { type: order, id: rules.key }, resolve),
    );
    if (!reply.ok) throw refusal(path, order, reply.reason.replaceAll('_', ' '));
    return { path, incarnation: reply.incarnation ?? entry.incarnation };
  };

  return {
    registry: table,
    supervisor: (spec) => supervisorLogic(env, spec),
    nested: (logic, where) =>
      contain(logic, {
        touch: table.touch,
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
    root: (ref, path) => table.began(table.enter(path, 'supervisor'), ref, 1, undefined),
    kill(path, { by, count }) {
      const entry = table.entry(path);
      if (!entry) throw new CoppiceError('ACTOR_NOT_FOUND', { path });
      if (!entry.parent)
        throw new CoppiceError('ACTOR_REFUSES', { path, operation: 'kill', reason: 'it is the root' });
      if (!entry.ref)
        throw new CoppiceError('ACTOR_REFUSES', { path, operation: 'kill', reason: 'it is not running' });
      const { incarnation } = entry;
      init.clock.defer(() => {
        if (entry.incarnation === incarnation) crash(entry, by, count === true);
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
    whichChildren: (path) => whichChildren(shellAt(path)),
    countChildren: (path) => countChildren(shellAt(path)),
    getChildSpec: (path, id) => fullSpec(shellAt(path), id),
    getSupervisorSpec: (path) => shellAt(path).spec,
  };
}

/** A tree of chaotic children on a clock that moves when told to, and a record of all that happened to it. */
import type { EventObject } from 'xstate';
import {
  createSupervision,
  type ChildSpec,
  type Report,
  type Supervision,
  type SupervisorSpec,
} from '../../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../../src/testing/clock.ts';
import { createActor } from 'xstate';
import { inputOf, worker, type Hands, type Life } from './child.ts';
import type { Op, Plan, SupervisorPlan, WorkerPlan } from './plan.ts';

const PROBE_MS = 40;
const LOG = 20_000;

interface Heard {
  readonly kind: 'up' | 'down';
  readonly incarnation: number;
  readonly reason: string;
}

export class World implements Hands {
  readonly clock = createSimulatedClock(1_000);
  readonly supervision: Supervision;
  readonly root;
  readonly broken: string[] = [];
  readonly lives: Life[] = [];
  /** `under`: the lives of whoever stood above when it was told, from the root down. */
  readonly reports: (Report & { readonly at: number; readonly under: string })[] = [];
  readonly heard = new Map<string, Heard[]>();
  /** Paths that supervisors had at some time, and those of children. */
  readonly supervisors: string[] = [];
  readonly children: string[] = [];
  readonly plans = new Map<string, SupervisorPlan>();
  /** Where a spec may have been forgotten and added again. */
  readonly reborn = new Set<string>();
  readonly stashed = new Set<number>();
  readonly taken = new Set<number>();
  readonly dead = new Set<number>();
  /** Something was told in the middle of an actor's mail: what is behind it is lost if that ends the actor, as in OTP. */
  mailLost = false;
  asked = 0;
  answered = 0;
  ended = 0;
  ownTimers = 0;
  overs = 0;
  #letters = 0;
  #starts = 0;
  readonly #waiting: Record<Exclude<Op['from'], 'outside'>, Op[]> = {
    action: [],
    report: [],
    disposer: [],
    watcher: [],
    trace: [],
    letter: [],
    input: [],
  };
  #depth = 0;

  constructor({ root }: Plan) {
    const { clock } = this;
    this.supervision = createSupervision({
      clock,
      random: () => 0.5,
      report: (report) => {
        this.reports.push({ ...report, at: clock.now(), under: this.#livesAbove(report) });
        if (this.reports.length > LOG) throw new Error('it reports without end');
        this.#inside('report');
      },
      deadLetter: (_to, event) => {
        this.dead.add((event as EventObject & { n?: number }).n ?? -1);
        this.#inside('letter');
      },
      watcherFailed: (path, { message }) => this.broken.push(`a watcher of ${path} failed: ${message}`),
      turnBudget: 5_000,
    });
    const logic = this.#logicOf(root, 'top');
    this.root = createActor(logic, { clock, input: { path: 'top', incarnation: 1 } });
    this.watch('top');
    this.root.subscribe({ complete: () => (this.ended += 1), error: () => (this.ended += 1) });
    this.supervision.root(this.root, 'top');
    this.root.start();
  }

  begin: Hands['begin'] = ({ path, incarnation, scope }, plan) => {
    const life: Life = {
      path,
      incarnation,
      scope,
      plan,
      serial: this.lives.length,
      starting: true,
      held: 0,
      over: undefined,
      overAt: 0,
      disposing: false,
      acting: 0,
    };
    for (const other of this.lives)
      if (other.path === path && this.holds(other))
        this.broken.push(`${path} begins life ${incarnation} while ${other.incarnation} holds something`);
    this.lives.push(life);
    this.#dispose(life);
    this.#inside('input');
    scope.add(() => {
      life.over = this.overs += 1;
      life.overAt = this.clock.now();
      this.#inside('disposer');
    });
    return life;
  };
  life: Hands['life'] = (serial) => this.lives[serial]!;
  took: Hands['took'] = ({ n }) => void (n === undefined || this.taken.add(n));
  act: Hands['act'] = (serial) => {
    const life = this.life(serial);
    life.acting += 1;
    this.#inside('action');
    life.acting -= 1;
  };

  /** Whether it has anything that the next life must not meet. */
  holds(life: Life): boolean {
    const { shutdown } = life.plan;
    const limitMs = shutdown === 'brutal' ? 0 : shutdown === 'infinity' ? Infinity : shutdown;
    const late = life.over !== undefined && this.clock.now() - life.overAt >= limitMs;
    const working = life.held > 0 || life.acting > 0;
    return working || (life.over === undefined && !life.scope.closed) || (life.disposing && !late);
  }

  watch(path: string): void {
    const log: Heard[] = this.heard.get(path) ?? [];
    if (this.heard.has(path)) return;
    this.heard.set(path, log);
    this.supervision.registry.watch(path, {
      up: (incarnation) => {
        log.push({ kind: 'up', incarnation, reason: '' });
        this.#inside('watcher');
      },
      down: (incarnation, reason) => {
        log.push({ kind: 'down', incarnation, reason });
        this.#inside('watcher');
      },
    });
  }

  /** Now, or when next something happens in the middle of which it is to be done. */
  take(op: Op): void {
    if (op.from === 'outside') return this.#do(op);
    this.#waiting[op.from].push(op);
    // Whose trace it comes from must be traced.
    if (op.from === 'trace') this.#do({ ...op, do: 'trace' });
    if (op.from === 'action' || op.from === 'trace')
      this.supervision.registry.tell(this.#child(op.at), { type: 'act' });
  }
  forgetPlans(): void {
    for (const list of Object.values(this.#waiting)) list.length = 0;
  }
  stop(): void {
    this.root.send({ type: 'supervisor.shutdown', reason: 'enough', deadlineMs: 0 });
  }

  #livesAbove({ path, incarnation }: Report): string {
    const names = path.split('/').slice(0, -1);
    const lives = names.map((_, at) =>
      this.supervision.registry.incarnation(names.slice(0, at + 1).join('/')),
    );
    return [...lives, incarnation].join('.');
  }

  #inside(where: Exclude<Op['from'], 'outside'>): void {
    if (this.#depth > 3) return;
    const op = this.#waiting[where].shift();
    if (!op) return;
    this.#depth += 1;
    // What waited for a restart arrives as mail, and may find itself behind this.
    if (where === 'trace') this.mailLost = true;
    try {
      this.#do(op);
    } finally {
      this.#depth -= 1;
    }
    // Often several at one moment.
    if (op.id % 2 === 1) this.#inside(where);
  }

  readonly #child = (at: number): string =>
    this.children[at % Math.max(1, this.children.length)] ?? 'top/none';
  readonly #any = (at: number): string =>
    [...this.children, ...this.supervisors][at % (this.children.length + this.supervisors.length)]!;

  #do(op: Op): void {
    const { supervision } = this;
    const { registry, sys } = supervision;
    const path = this.#child(op.at);
    const any = this.#any(op.at);
    switch (op.do) {
      case 'noop':
      case 'stash': {
        const n = (this.#letters += 1);
        const said = registry.tell(path, { type: 'noop', n } as EventObject, { stash: op.do === 'stash' });
        if (said === 'stashed') this.stashed.add(n);
        if (said === 'noproc' && !this.dead.has(n)) this.broken.push(`a letter to ${path} is lost`);
        return;
      }
      case 'crash':
      case 'crash deep':
      case 'finish':
      case 'leave':
      case 'fail':
        return void registry.tell(path, { type: op.do });
      case 'kill':
      case 'kill counted':
        return this.#may(() => void supervision.kill(any, { by: 'chaos', count: op.do !== 'kill' }));
      case 'start':
        return this.#start(op);
      case 'terminate_child':
      case 'restart_child':
      case 'delete_child':
      case 'park':
      case 'unpark':
        return this.#ask(any, op.do);
      case 'hold':
      case 'release':
        this.asked += 1;
        supervision.hold(any, op.do === 'hold' ? 'park' : 'unpark').then(this.#answered, this.#answered);
        return;
      case 'change':
        return this.#change(op);
      case 'suspend':
        return this.#may(() => void sys.suspend(any));
      case 'resume':
        return void sys.resume(any);
      case 'trace':
        return void sys.trace(any, true, ({ at, incarnation }) => {
          if (at !== this.clock.now() || incarnation < 1) this.broken.push(`a wrong trace of ${any}`);
          this.#inside('trace');
        });
      case 'untrace':
        return void sys.trace(any, false);
      case 'watch':
        return void registry.watch(any, {})();
      case 'advance':
        // In the middle of a turn no time passes.
        return this.#depth > 0 ? undefined : this.clock.advance(op.ms);
      case 'shutdown':
        return this.stop();
    }
  }

  readonly #answered = (): void => void (this.answered += 1);
  #may(call: () => void): void {
    try {
      call();
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'ACTOR_REFUSES' && code !== 'ACTOR_NOT_FOUND') throw error;
    }
  }

  #ask(path: string, type: 'terminate_child' | 'restart_child' | 'delete_child' | 'park' | 'unpark'): void {
    const cut = path.lastIndexOf('/');
    this.asked += 1;
    if (type === 'delete_child') this.reborn.add(path);
    void this.supervision.admin(path.slice(0, cut), { type, id: path.slice(cut + 1) }).then(this.#answered);
  }

  #start(op: Op): void {
    const path = this.supervisors[op.at % this.supervisors.length]!;
    const spec = this.#specOf(op.worker, path, `x${op.id % 4}`, this.plans.get(path)!);
    this.#starts += 1;
    this.reborn.add(`${path}/${spec.id}`);
    this.asked += 1;
    if (this.#starts % 2 === 0)
      void this.supervision.admin(path, { type: 'start_child', spec }).then(this.#answered);
    // Whether a start that waits is answered, only who asks by `admin` hears.
    else if (this.supervision.startChild(path, spec) === 'pending') this.asked -= 1;
    else this.#answered();
  }

  #change(op: Op): void {
    const path = this.supervisors[op.at % this.supervisors.length]!;
    this.asked += 1;
    this.#may(() => {
      let spec: SupervisorSpec;
      try {
        spec = this.supervision.getSupervisorSpec(path);
      } catch (error) {
        this.#answered();
        throw error;
      }
      const children = [...(spec.children ?? [])].reverse();
      void this.supervision.admin(path, { type: 'change', spec: { ...spec, children } }).then(this.#answered);
    });
  }

  #dispose(life: Life): void {
    const { disposer } = life.plan.traits;
    const slow = (fail: boolean): Promise<void> => {
      life.disposing = true;
      this.ownTimers += 1;
      return new Promise((resolve, reject) => {
        this.clock.setTimeout(() => {
          this.ownTimers -= 1;
          life.disposing = false;
          if (fail) reject(new Error('it does not close'));
          else resolve();
        }, 25);
      });
    };
    if (disposer === 'slow' || disposer === 'rejects') life.scope.add(() => slow(disposer === 'rejects'));
    if (disposer === 'never') life.scope.add(() => new Promise(() => {}));
    if (disposer === 'throws')
      life.scope.add(() => {
        throw new Error('it breaks while closing');
      });
  }

  #specOf(plan: WorkerPlan, over: string, id: string, of: SupervisorPlan): ChildSpec {
    const path = `${over}/${id}`;
    if (!this.children.includes(path)) this.children.push(path);
    this.watch(path);
    const alone = isAlone(of);
    const mayEnd = plan.restart !== 'permanent' && of.autoShutdown !== 'never' && of.shape !== 'partitioned';
    return {
      id,
      logic: worker(plan, this),
      input: inputOf(plan, this),
      restart: plan.restart,
      shutdown: plan.shutdown,
      significant: plan.significant && mayEnd,
      quarantine: plan.quarantine && alone && plan.restart !== 'temporary',
      ...(plan.backoff
        ? { backoff: { minMs: 10, maxMs: 80, factor: 2, jitter: 0.5, resetAfterMs: 200 } }
        : {}),
    };
  }

  #logicOf(plan: SupervisorPlan, path: string) {
    this.supervisors.push(path);
    this.plans.set(path, plan);
    const { intensity, periodMs, shape } = plan;
    const onExhausted = plan.park && isAlone(plan) ? 'park' : 'escalate';
    const children = plan.children.map((child, n) => this.#childOf(child, plan, path, n));
    const limits = { intensity, periodMs, onExhausted, probeMs: PROBE_MS } as const;
    if (shape === 'partitioned')
      return this.supervision.partitioned({
        partitions: 2,
        intensity,
        periodMs,
        probeMs: PROBE_MS,
        each: limits,
        children,
      });
    const autoShutdown = plan.autoShutdown;
    const strategy = shape === 'dynamic' ? 'one_for_one' : plan.strategy;
    return this.supervision.supervisor({
      ...limits,
      strategy,
      autoShutdown,
      dynamic: shape === 'dynamic',
      children,
    });
  }

  #childOf(child: SupervisorPlan | WorkerPlan, over: SupervisorPlan, path: string, n: number): ChildSpec {
    if (child.kind === 'worker') return this.#specOf(child, path, `w${n}`, over);
    const id = `s${n}`;
    this.watch(`${path}/${id}`);
    return {
      id,
      logic: this.#logicOf(child, `${path}/${id}`),
      restart: child.restart,
      shutdown: child.shutdown,
    };
  }
}

export const isAlone = ({ shape, strategy }: SupervisorPlan): boolean =>
  shape !== 'static' || strategy === 'one_for_one';

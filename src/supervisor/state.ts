/** What a supervisor knows of its children, what it may be told, and what it may ask for. Data only. */
import type { NormalError } from '../errors.ts';
import type { Backoff, Restart, Shutdown, Strategy } from './child-spec.ts';

/** How a life ended. */
export type ExitReason = 'normal' | 'shutdown' | 'error' | 'timeout' | 'killed';
/** Where a child is in its life. */
export type ChildStatus = 'stopped' | 'starting' | 'running' | 'backing-off' | 'stopping' | 'parked';

/** The part of a child spec that `decide` needs. */
export interface ChildPolicy {
  readonly restart: Restart;
  readonly shutdown: Shutdown;
  readonly type: 'worker' | 'supervisor';
  readonly significant: boolean;
  readonly backoff: Backoff | undefined;
  /** Park it when it dies young with its predecessor's facts and then, started clean, again. */
  readonly quarantine?: boolean;
}

/** What happens to one child once it has stopped, when that is not part of a set. */
export type After =
  | { readonly kind: 'terminate'; readonly ticket: number }
  | { readonly kind: 'park'; readonly ticket: number };

/** A child in the table of its supervisor. */
export interface Child {
  readonly id: string;
  policy: ChildPolicy;
  status: ChildStatus;
  incarnation: number;
  /** Restarts of this child so far; shown in the tree. */
  restarts: number;
  /** Restarts in a row, for the backoff; zero again after a quiet time. */
  streak: number;
  startedAt: number;
  /** Restart times, where exhausting parks the child (else the supervisor's own log counts). */
  log: number[];
  /** Makes an armed timer stale. */
  token: number;
  probes: number;
  /** A kill asked for by an operator: its exit is not counted, unless `counted`. */
  kill: { readonly counted: boolean } | undefined;
  after: After | undefined;
  /** The admin request that waits for this start. */
  ticket: number | undefined;
  /** The last life was given its predecessor's facts. */
  handed: boolean;
  /** It was, and died young: what it was given may be what kills it, so the next life starts without. */
  clean: boolean;
  /** Its facts were suspected and it was started without them: if it dies young all the same, it is quarantined. */
  suspect: boolean;
}

/** A set of children is being stopped in order, then started in order; everything else waits its turn. */
export interface Operation {
  readonly kind: 'boot' | 'restart' | 'exit';
  /** Groups one after the other, the members of a group in parallel. */
  stop: string[][];
  readonly waiting: Set<string>;
  /** Who is in `stop` still. */
  readonly due: Set<string>;
  /** Who of them ended by itself; said when its turn comes, as OTP does. */
  readonly early: Map<string, ExitReason>;
  start: string[];
  readonly then:
    | { readonly kind: 'nothing' }
    | { readonly kind: 'retry'; readonly id: string; readonly delayMs: number }
    | { readonly kind: 'end'; readonly exit: ExitReason; readonly error: NormalError | undefined };
}

/** The part of a supervisor spec that `decide` needs. */
export interface Policy {
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly periodMs: number;
  readonly autoShutdown: 'never' | 'any_significant' | 'all_significant';
  readonly onExhausted: 'escalate' | 'park';
  readonly probeMs: number;
  readonly maxChildren: number;
  /** Children come and go at run time: they stop in parallel, and a child that is finished is forgotten. */
  readonly dynamic: boolean;
}

/** All that a supervisor knows. `decide` changes it in place. */
export interface State {
  policy: Policy;
  phase: 'new' | 'running' | 'stopping' | 'ended';
  /** In start order. */
  readonly children: Map<string, Child>;
  log: number[];
  operation: Operation | undefined;
  /** Whose start failed or was ignored, and has not let go of all that it opened. */
  readonly closing: Set<string>;
  /** What arrived during an operation and is not part of it, or waits for one of `closing`. Bounded by the shell. */
  later: Event[];
}

/** What happens to a supervisor. */
export type Event =
  | { readonly type: 'boot' }
  | { readonly type: 'started'; readonly id: string; readonly handed?: boolean }
  /** Its start ended at once and normally, before it ran: OTP's `ignore`. `closing`: until `closed`, as below. */
  | { readonly type: 'ignored'; readonly id: string; readonly closing?: boolean }
  | {
      readonly type: 'start_failed';
      readonly id: string;
      readonly error: NormalError;
      readonly handed?: boolean;
      readonly closing?: boolean;
    }
  /** What its starts opened in vain is closed. */
  | { readonly type: 'closed'; readonly id: string }
  | {
      readonly type: 'exited';
      readonly id: string;
      readonly incarnation: number;
      readonly reason: ExitReason;
      readonly error?: NormalError | undefined;
    }
  | { readonly type: 'timer'; readonly id: string; readonly token: number }
  | { readonly type: 'shutdown' }
  | Admin;

export type Admin =
  | {
      readonly type: 'start_child';
      readonly id: string;
      readonly policy: ChildPolicy;
      readonly ticket: number;
    }
  | {
      readonly type: 'terminate_child' | 'restart_child' | 'delete_child' | 'park' | 'unpark';
      readonly id: string;
      readonly ticket: number;
    }
  | {
      readonly type: 'kill';
      readonly id: string;
      readonly counted: boolean;
      readonly by: string;
      readonly ticket: number;
    }
  /** New flags and specs, checked already. */
  | {
      readonly type: 'change';
      readonly policy: Policy;
      readonly children: readonly { readonly id: string; readonly policy: ChildPolicy }[];
      readonly ticket: number;
    };

/** Why an operation on a child was refused. */
export type Refusal =
  | 'already_started'
  | 'already_present'
  | 'running'
  | 'restarting'
  | 'not_running'
  | 'not_found'
  | 'max_children'
  | 'stopping'
  | 'start_failed'
  | 'spec_invalid'
  | 'not_parked'
  /** A temporary child lives once. */
  | 'not_restartable';
/** The answer to an operation on a child. */
export type Reply =
  | {
      readonly ok: true;
      readonly incarnation: number;
      /** The start said that there is nothing to run (OTP's `{ok, undefined}`). */
      readonly ignored?: true;
    }
  | { readonly ok: false; readonly reason: Refusal; readonly error?: NormalError };

export type ReportBody =
  | { readonly type: 'progress'; readonly restarts: number }
  | {
      readonly type: 'child_terminated';
      readonly reason: ExitReason;
      readonly error?: NormalError | undefined;
      readonly restart: Restart;
    }
  | { readonly type: 'start_error'; readonly error: NormalError }
  | { readonly type: 'shutdown_error'; readonly reason: string }
  | { readonly type: 'stale_exit' }
  | { readonly type: 'restart_scheduled'; readonly delayMs: number; readonly attempt: number }
  | { readonly type: 'parked'; readonly reason: string; readonly probeMs: number }
  | { readonly type: 'unparked'; readonly by: 'operator' | 'probe' };

/** What the shell is to do. */
export type Command =
  | {
      readonly type: 'start';
      readonly id: string;
      readonly incarnation: number;
      /** The facts that the life before left are not given to this one. */
      readonly clean: boolean;
    }
  | { readonly type: 'stop'; readonly id: string }
  | { readonly type: 'kill'; readonly id: string; readonly by: string }
  | { readonly type: 'arm'; readonly id: string; readonly token: number; readonly delayMs: number }
  /** The specs of this request are the ones that hold from now on. */
  | { readonly type: 'adopt'; readonly ticket: number }
  /** The spec is gone. */
  | { readonly type: 'forget'; readonly id: string }
  | { readonly type: 'report'; readonly id: string; readonly incarnation: number; readonly body: ReportBody }
  | { readonly type: 'reply'; readonly ticket: number; readonly reply: Reply }
  /** A child failed to start while the supervisor itself was starting: stop what runs, in reverse, in this turn, and fail. */
  | { readonly type: 'abort'; readonly id: string; readonly error: NormalError }
  | { readonly type: 'end'; readonly exit: ExitReason; readonly error: NormalError | undefined };

/** The state before `boot`. */
export function createState(policy: Policy, children: readonly { id: string; policy: ChildPolicy }[]): State {
  return {
    policy,
    phase: 'new',
    children: new Map(children.map((c) => [c.id, newChild(c.id, c.policy)])),
    log: [],
    operation: undefined,
    closing: new Set(),
    later: [],
  };
}

/** A copy that shares nothing, for whoever needs the old one. */
export const cloneState = (state: State): State => ({
  ...state,
  children: new Map([...state.children].map(([id, c]) => [id, { ...c, log: [...c.log] }])),
  log: [...state.log],
  operation: state.operation && {
    ...state.operation,
    stop: state.operation.stop.map((g) => [...g]),
    waiting: new Set(state.operation.waiting),
    due: new Set(state.operation.due),
    early: new Map(state.operation.early),
    start: [...state.operation.start],
  },
  closing: new Set(state.closing),
  later: [...state.later],
});

export function newChild(id: string, policy: ChildPolicy): Child {
  return {
    id,
    policy,
    status: 'stopped',
    incarnation: 0,
    restarts: 0,
    streak: 0,
    startedAt: 0,
    log: [],
    token: 0,
    probes: 0,
    kill: undefined,
    after: undefined,
    ticket: undefined,
    handed: false,
    clean: false,
    suspect: false,
  };
}

/** One event being decided. */
export interface Turn {
  readonly state: State;
  readonly now: number;
  readonly random: number;
  readonly commands: Command[];
}

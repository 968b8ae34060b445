import type { Severity } from '../errors.ts';
import type { Trace } from './trace.ts';

/**
 * The catalogue of facts: a table first. Types come from it here; `docs/events.md` is generated from it, later
 * also metrics, spans and dashboards; a tidy test fails when they disagree. A fact is `noun.participle`; the
 * thirteen names of the study (and their fields) are kept as they are.
 */

type Kind = 'string' | 'number' | 'boolean' | 'record' | 'strings' | readonly string[];

/** One field of a fact. */
export interface Field<K extends Kind = Kind, O extends boolean = boolean> {
  readonly kind: K;
  readonly optional: O;
  readonly unit?: string;
  readonly doc?: string;
}

/** One fact of the catalogue. */
export interface EventRow {
  readonly severity: Severity;
  readonly doc: string;
  readonly fields: Readonly<Record<string, Field>>;
}

const must = <const K extends Kind>(kind: K, doc?: string): Field<K, false> => ({
  kind,
  optional: false,
  ...(doc ? { doc } : {}),
});
const may = <const K extends Kind>(kind: K, doc?: string): Field<K, true> => ({
  kind,
  optional: true,
  ...(doc ? { doc } : {}),
});

const session = { sessionKey: may('string'), sessionId: may('string') } as const;
const child = { childPath: must('string'), childIncarnation: must('number') } as const;

/** The catalogue: every fact with its severity, what it says, and its fields. `docs/events.md` is made from it. */
export const EVENTS = {
  // -- the thirteen diagnostic events of the study
  'model.usage': {
    severity: 'debug',
    doc: 'Tokens one model call used.',
    fields: {
      ...session,
      channel: may('string'),
      provider: may('string'),
      model: may('string'),
      usage: must('record', 'input, output, cacheRead, cacheWrite, promptTokens, total: tokens'),
      costUsd: may('number'),
      durationMs: may('number'),
    },
  },
  'webhook.received': {
    severity: 'debug',
    doc: 'A webhook request came in.',
    fields: { channel: must('string'), updateType: may('string'), chatId: may('string') },
  },
  'webhook.processed': {
    severity: 'info',
    doc: 'A webhook request was answered.',
    fields: {
      channel: must('string'),
      updateType: may('string'),
      chatId: may('string'),
      durationMs: may('number'),
    },
  },
  'webhook.error': {
    severity: 'error',
    doc: 'A webhook request failed.',
    fields: {
      channel: must('string'),
      updateType: may('string'),
      chatId: may('string'),
      error: must('string'),
    },
  },
  'message.queued': {
    severity: 'debug',
    doc: 'A message is committed to the inbox and belongs to a session now.',
    fields: {
      ...session,
      channel: may('string'),
      source: must('string'),
      queueDepth: may('number'),
      messageId: may('string'),
      runId: may('string'),
    },
  },
  'message.processed': {
    severity: 'debug',
    doc: 'A message reached its one outcome.',
    fields: {
      ...session,
      channel: must('string'),
      messageId: may('string'),
      chatId: may('string'),
      durationMs: may('number'),
      outcome: must(['completed', 'skipped', 'error']),
      reason: may('string'),
      error: may('string'),
    },
  },
  'session.state': {
    severity: 'debug',
    doc: 'A session changed its state.',
    fields: {
      ...session,
      prevState: may('string'),
      state: must(['idle', 'processing', 'waiting']),
      reason: may('string'),
      queueDepth: may('number'),
    },
  },
  'session.stuck': {
    severity: 'warn',
    doc: 'A session made no progress for longer than its phase allows.',
    fields: { ...session, state: must('string'), ageMs: must('number'), queueDepth: may('number') },
  },
  'queue.lane.enqueue': {
    severity: 'debug',
    doc: 'A ticket was requested.',
    fields: { lane: must('string'), queueSize: must('number', 'waiting and active') },
  },
  'queue.lane.dequeue': {
    severity: 'debug',
    doc: 'A ticket was granted.',
    fields: { lane: must('string'), queueSize: must('number', 'still waiting'), waitMs: must('number') },
  },
  'run.attempt': {
    severity: 'debug',
    doc: 'A model call of a run begins.',
    fields: {
      ...session,
      runId: must('string'),
      attempt: must('number'),
      provider: may('string'),
      model: may('string'),
    },
  },
  'diagnostic.heartbeat': {
    severity: 'debug',
    doc: 'The 30 s aggregate.',
    fields: {
      webhooks: must('record', 'received, processed, errors'),
      active: must('number'),
      waiting: must('number'),
      queued: must('number'),
    },
  },
  'tool.loop': {
    severity: 'warn',
    doc: 'A tool is called again and again without progress.',
    fields: {
      ...session,
      toolName: must('string'),
      level: must(['warning', 'critical']),
      action: must(['warn', 'block']),
      detector: must(['generic_repeat', 'known_poll_no_progress', 'global_circuit_breaker', 'ping_pong']),
      count: must('number'),
      message: must('string'),
      pairedToolName: may('string'),
    },
  },
  // -- supervision
  'supervisor.progress': {
    severity: 'debug',
    doc: 'A child started.',
    fields: { ...child, restarts: must('number') },
  },
  'supervisor.child_terminated': {
    severity: 'warn',
    doc: 'A child ended while it was meant to run.',
    fields: {
      ...child,
      reason: must('string'),
      error: may('record'),
      restart: must(['permanent', 'transient', 'temporary']),
    },
  },
  'supervisor.start_error': {
    severity: 'error',
    doc: 'A child could not start.',
    fields: { ...child, error: may('record') },
  },
  'supervisor.shutdown_error': {
    severity: 'warn',
    doc: 'A child did not stop as told; it was killed if it had to be.',
    fields: { ...child, reason: must('string') },
  },
  'supervisor.shutdown': {
    severity: 'debug',
    doc: 'A supervisor ended, with its reason.',
    fields: { reason: must('string') },
  },
  'supervisor.stale_exit': {
    severity: 'debug',
    doc: 'An ending of an old incarnation arrived late and was dropped.',
    fields: { ...child },
  },
  'supervisor.kill_error': {
    severity: 'error',
    doc: 'Killing a child failed.',
    fields: { ...child, error: may('record') },
  },
  'supervisor.restart_scheduled': {
    severity: 'info',
    doc: 'A child will be started again after a delay.',
    fields: { ...child, delayMs: must('number'), attempt: must('number') },
  },
  'supervisor.parked': {
    severity: 'error',
    doc: 'A child exhausted its restarts and is held down; its siblings go on.',
    fields: { ...child, reason: must('string'), probeMs: must('number') },
  },
  'supervisor.unparked': {
    severity: 'info',
    doc: 'A parked child is tried again.',
    fields: { ...child, by: must(['operator', 'probe']) },
  },
  'supervisor.disposer_failed': {
    severity: 'error',
    doc: 'A resource of an ended incarnation could not be released cleanly.',
    fields: { ...child, error: must('record') },
  },
  // -- actors in general
  'actor.fault': {
    severity: 'error',
    doc: 'An error escaped from an effect and was charged to its owner.',
    fields: { error: must('record'), source: must('string') },
  },
  'actor.event_unhandled': {
    severity: 'warn',
    doc: 'An actor got an event its state has no transition for.',
    fields: { eventType: must('string'), state: must('string') },
  },
  'letter.died': {
    severity: 'warn',
    doc: 'An event had no living receiver.',
    fields: { to: must('string'), eventType: must('string'), reason: must('string') },
  },
  'bus.dropped': {
    severity: 'warn',
    doc: 'A subscriber was too slow; its queue dropped facts.',
    fields: { subscriber: must('string'), dropped: must('number'), capacity: must('number') },
  },
  'bus.subscriber_failed': {
    severity: 'error',
    doc: 'A subscriber threw; the fact went to the others all the same.',
    fields: { subscriber: must('string'), error: must('record') },
  },
  // -- gateway
  'gateway.started': {
    severity: 'info',
    doc: 'The gateway accepts work.',
    fields: { port: may('number'), durationMs: must('number'), version: must('string') },
  },
  'gateway.stopping': {
    severity: 'info',
    doc: 'The gateway closes its intake and drains.',
    fields: { reason: must('string') },
  },
  'gateway.stopped': {
    severity: 'info',
    doc: 'The gateway is down.',
    fields: { reason: must('string'), durationMs: must('number') },
  },
  'config.applied': {
    severity: 'info',
    doc: 'A changed configuration was taken up.',
    fields: {
      version: must('number', 'of the configuration in force; counts from 1'),
      changed: must('strings', 'every key that differs'),
      live: must('strings', 'in force from now on'),
      restart: must('strings', 'brought by the planned restart that was asked for'),
      stop: must('strings', 'brought only by a full stop and start'),
    },
  },
  'config.rejected': {
    severity: 'warn',
    doc: 'A changed configuration is invalid; the one in force stays.',
    fields: { error: must('record', 'every mistake, with file and line') },
  },
  'gate.opened': { severity: 'info', doc: 'New work is admitted.', fields: {} },
  'gate.closed': {
    severity: 'info',
    doc: 'New work gets an explicit answer instead of admission.',
    fields: { reason: must('string') },
  },
  'message.refused': {
    severity: 'warn',
    doc: 'A message was not admitted, and its sender was told.',
    fields: { ...session, channel: must('string'), code: must('string') },
  },
  'message.duplicate': {
    severity: 'info',
    doc: 'A message came again; the first outcome stands.',
    fields: { ...session, channel: must('string'), messageId: must('string') },
  },
  'message.deferred': {
    severity: 'info',
    doc: 'A session has its hands full; the message stays in the inbox and is read when there is room.',
    fields: { ...session, messageId: must('string'), queueDepth: must('number') },
  },
  'ingress.commit_failed': {
    severity: 'error',
    doc: 'The inbox did not take a message; it was not acknowledged.',
    fields: { error: must('record'), count: must('number') },
  },
  'inbox.taken_up': {
    severity: 'info',
    doc: 'Work an earlier life accepted was found and handed to its sessions.',
    fields: { sessions: must('number'), messages: must('number') },
  },
  // -- sessions, runs, tools, models
  'session.passivated': {
    severity: 'debug',
    doc: 'An idle session left memory; its record stays.',
    fields: { ...session, idleMs: must('number') },
  },
  'session.resumed': {
    severity: 'debug',
    doc: 'A session came to life from its record.',
    fields: { ...session, pending: must('number') },
  },
  'session.settle_failed': {
    severity: 'error',
    doc: 'The outcome of a turn could not be committed yet.',
    fields: { ...session, runId: must('string'), attempt: must('number'), error: must('record') },
  },
  'run.started': {
    severity: 'debug',
    doc: 'A turn begins.',
    fields: { ...session, runId: must('string'), trigger: may('string') },
  },
  'run.completed': {
    severity: 'info',
    doc: 'A turn ended.',
    fields: {
      ...session,
      runId: must('string'),
      outcome: must(['ok', 'error', 'aborted']),
      durationMs: must('number'),
      toolCalls: must('number'),
      attempts: must('number'),
      error: may('string'),
    },
  },
  'run.crashed': {
    severity: 'error',
    doc: 'A turn crashed; its session lives and decides what follows.',
    fields: { ...session, runId: must('string'), crashes: must('number'), error: must('record') },
  },
  'model.call_failed': {
    severity: 'warn',
    doc: 'A model call failed.',
    fields: {
      ...session,
      runId: must('string'),
      provider: must('string'),
      model: must('string'),
      class: must('string'),
      error: must('record'),
      willRetry: must('boolean'),
    },
  },
  'tool.called': {
    severity: 'debug',
    doc: 'A tool call begins; its intent is journalled.',
    fields: { ...session, runId: must('string'), toolName: must('string'), toolCallId: must('string') },
  },
  'tool.completed': {
    severity: 'debug',
    doc: 'A tool call ended; its outcome is journalled.',
    fields: {
      ...session,
      runId: must('string'),
      toolName: must('string'),
      toolCallId: must('string'),
      isError: must('boolean'),
      durationMs: must('number'),
    },
  },
  'profile.cooled': {
    severity: 'warn',
    doc: 'A provider is left alone for a while.',
    fields: { provider: must('string'), class: must('string'), forMs: must('number') },
  },
  'profile.recovered': {
    severity: 'info',
    doc: 'A provider is used again.',
    fields: { provider: must('string') },
  },
  'lane.ticket_refused': {
    severity: 'warn',
    doc: 'A ticket was refused; its holder was told.',
    fields: { lane: must('string'), ticketId: must('string'), reason: must(['full', 'cleared']) },
  },
  'lane.ticket_expired': {
    severity: 'warn',
    doc: 'A ticket outlived its deadline or its holder and was taken back.',
    fields: {
      lane: must('string'),
      ticketId: must('string'),
      reason: must('string'),
      heldMs: must('number'),
    },
  },
  // -- channels, outbox, heartbeat, restart
  'channel.state': {
    severity: 'info',
    doc: 'A leg of a channel changed its state.',
    fields: { channel: must('string'), leg: must('string'), state: must('string'), reason: may('string') },
  },
  'outbox.delivered': {
    severity: 'info',
    doc: 'A reply reached its channel.',
    fields: { channel: must('string'), deliveryId: must('string'), attempts: must('number') },
  },
  'outbox.delivery_failed': {
    severity: 'warn',
    doc: 'A delivery failed; what follows is named.',
    fields: {
      channel: must('string'),
      deliveryId: must('string'),
      attempt: must('number'),
      next: must(['retry', 'unknown', 'failed_permanent', 'expired']),
      error: may('record'),
    },
  },
  'heartbeat.fired': {
    severity: 'info',
    doc: 'The scheduled agent prompt was put into the inbox.',
    fields: { agentId: must('string'), reason: must('string') },
  },
  'heartbeat.settled': {
    severity: 'info',
    doc: 'A heartbeat slot has its outcome.',
    fields: {
      agentId: must('string'),
      status: must(['sent', 'ok-token', 'ok-empty', 'skipped', 'failed']),
      reason: may('string'),
      durationMs: may('number'),
    },
  },
  'restart.requested': {
    severity: 'info',
    doc: 'Somebody asked for a restart or stop; requests coalesce.',
    fields: { kind: must(['restart', 'stop']), reason: must('string'), requests: must('number') },
  },
  'restart.state': {
    severity: 'info',
    doc: 'The coordinator moved on.',
    fields: { state: must('string'), pending: may('number') },
  },
  // -- store and server
  'store.opened': {
    severity: 'info',
    doc: 'The durable store is open.',
    fields: { file: must('string'), schema: must('number'), epoch: must('number') },
  },
  'store.failed': { severity: 'error', doc: 'The durable store failed.', fields: { error: must('record') } },
  'client.connected': {
    severity: 'debug',
    doc: 'A client passed the handshake.',
    fields: { connId: must('string'), client: may('string'), protocol: must('number') },
  },
  'client.disconnected': {
    severity: 'debug',
    doc: 'A client is gone.',
    fields: {
      connId: must('string'),
      code: may('number'),
      reason: may('string'),
      durationMs: must('number'),
    },
  },
  'client.refused': {
    severity: 'warn',
    doc: 'A connection or frame was refused.',
    fields: { connId: may('string'), code: must('string'), reason: must('string') },
  },
} as const satisfies Record<string, EventRow>;

/** The names of the catalogue. */
export type FactType = keyof typeof EVENTS;

type ValueOf<K> = K extends 'string'
  ? string
  : K extends 'number'
    ? number
    : K extends 'boolean'
      ? boolean
      : K extends 'strings'
        ? readonly string[]
        : K extends readonly (infer V)[]
          ? V
          : K extends 'record'
            ? object
            : never;

type FieldsOf<R extends Readonly<Record<string, Field>>> = {
  readonly [N in keyof R as R[N]['optional'] extends false ? N : never]: ValueOf<R[N]['kind']>;
} & {
  readonly [N in keyof R as R[N]['optional'] extends true ? N : never]?: ValueOf<R[N]['kind']> | undefined;
};

/** The fields of a fact, as a type. */
export type FieldsOfFact<T extends FactType> = FieldsOf<(typeof EVENTS)[T]['fields']>;

/** What a machine emits: the fact's own fields, and the trace it belongs to. */
export type Fact<T extends FactType = FactType> = {
  [K in T]: { readonly type: K; readonly trace?: Trace | undefined } & FieldsOfFact<K>;
}[T];

/** A fact on the bus. Times: `ts` in epoch milliseconds; `seq` counts per gateway from 1. */
export interface Envelope<T extends FactType = FactType> {
  readonly seq: number;
  readonly ts: number;
  readonly type: T;
  readonly severity: Severity;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly parentSpanId?: string;
  readonly path?: string;
  readonly incarnation?: number;
  readonly data: FieldsOfFact<T>;
}

/** Facts and their delivery. Runs on every host: no Node, no DOM. */
export { createBus } from './bus.ts';
export type { Bus, BusOptions, BusStats } from './bus.ts';
export { createDeadLetterOffice } from './dead-letter.ts';
export type { DeadLetter, DeadLetterOffice } from './dead-letter.ts';
export { rank, SEVERITIES } from './envelope.ts';
export type { AnyEnvelope, Source } from './envelope.ts';
export { EVENTS } from './events.ts';
export type { Envelope, EventRow, Fact, FactType, Field, FieldsOfFact } from './events.ts';
export { matches } from './ring.ts';
export type { RecentQuery } from './ring.ts';
export type { SubscriberStats, Subscription } from './subscriber.ts';
export { createTap } from './tap.ts';
export type { Tap, TapOptions, TapStats } from './tap.ts';
export { childTrace, formatTraceparent, isTrace, parseTraceparent } from './trace.ts';
export type { Trace } from './trace.ts';

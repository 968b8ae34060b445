/** What the gateway says of itself: graded, with reasons. Evidence comes in, judgements go out. */
export { explain } from './explain.ts';
export type { Finding, FindingCode, Subject } from './explain.ts';
export { find, flatten, grade, whyNotReady } from './grade.ts';
export type { Evidence, Grade } from './grade.ts';

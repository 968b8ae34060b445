/** The breaker of tool loops for an agent of the AI SDK. Types of @ai-sdk/provider alone; runs wherever that does. */
export { toolLoopBreaker } from './tool-loop-breaker.ts';
export type { ToolLoopBreakerOptions, ToolLoopNotice } from './tool-loop-breaker.ts';

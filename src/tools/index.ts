export * from './contract.ts';
export { callTool, type CallOptions } from './call.ts';
export { listTool } from './list.ts';
export type { ToolResult } from './output.ts';
export { readTool } from './read.ts';
export { createTools, narrowTools, toModelTools, type ToolForModel, type ToolsConfig } from './registry.ts';

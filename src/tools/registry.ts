import { z } from 'zod';
import { CoppiceError } from '../errors.ts';
import type { Tool } from './contract.ts';
import { listTool } from './list.ts';
import { readTool } from './read.ts';

export interface ToolsConfig {
  /** Names or patterns with `*`. Absent: every tool. */
  readonly allow?: readonly string[] | undefined;
  /** Names or patterns with `*`. Wins over `allow`. */
  readonly deny?: readonly string[] | undefined;
  /** Tools beside the built-ins. */
  readonly extra?: readonly Tool[] | undefined;
}

/** A tool as a model is told of it. The shape is that of the model contract. */
export interface ToolForModel {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** What every provider's API takes as a function name. */
const NAME = /^[a-zA-Z0-9_-]{1,64}$/;

const BUILT_IN: readonly Tool[] = [listTool, readTool];

function matcher(patterns: readonly string[]): (name: string) => boolean {
  const escaped = patterns.map((pattern) =>
    pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)),
  );
  const all = escaped.map((parts) => new RegExp(`^${parts.join('.*')}$`, 'i'));
  return (name) => all.some((each) => each.test(name));
}

function invalid(tool: Tool, reason: string, cause?: unknown): CoppiceError {
  return new CoppiceError('TOOL_INVALID', { tool: tool.name, reason }, { cause });
}

/** The input's JSON Schema as a model fills it in: defaults are optional, transforms not applied yet. */
function schemaOf(tool: Tool): Record<string, unknown> {
  let schema: Record<string, unknown>;
  try {
    schema = { ...z.toJSONSchema(tool.input, { io: 'input' }) };
  } catch (error) {
    throw invalid(tool, 'its input schema has no JSON Schema', error);
  }
  if (schema['type'] !== 'object') throw invalid(tool, 'its input schema is no object');
  delete schema['$schema']; // several providers refuse keywords they do not know
  return schema;
}

function check(tool: Tool): void {
  if (!NAME.test(tool.name)) throw invalid(tool, 'a name has 1 to 64 letters, digits, "_" or "-"');
  schemaOf(tool);
}

/**
 * The tools by name: built-ins and extras that the configuration allows.
 *
 * @throws CoppiceError TOOL_INVALID for a bad name, a name used twice, or an input no model can be told of.
 */
export function createTools({ extra = [], ...policy }: ToolsConfig = {}): Map<string, Tool> {
  const passes = passer(policy);
  const tools = new Map<string, Tool>();
  for (const tool of [...BUILT_IN, ...extra].filter(passes)) {
    check(tool);
    if (tools.has(tool.name)) throw invalid(tool, 'another tool has that name');
    tools.set(tool.name, tool);
  }
  return tools;
}

type Policy = Pick<ToolsConfig, 'allow' | 'deny'>;

function passer({ allow, deny = [] }: Policy): (tool: Tool) => boolean {
  const allowed = allow === undefined ? () => true : matcher(allow);
  const denied = matcher(deny);
  return ({ name }) => allowed(name) && !denied(name);
}

/** Those of `tools` that a further policy lets through. */
export function narrowTools(tools: ReadonlyMap<string, Tool>, policy: Policy): Map<string, Tool> {
  const passes = passer(policy);
  return new Map([...tools].filter(([, tool]) => passes(tool)));
}

const described = new WeakMap<Tool, ToolForModel>();

export function toModelTools(tools: ReadonlyMap<string, Tool>): ToolForModel[] {
  return [...tools.values()].map(describe);
}

/** Once per tool: the schema is made anew otherwise for every model call. */
function describe(tool: Tool): ToolForModel {
  let known = described.get(tool);
  if (!known) {
    known = { name: tool.name, description: tool.description, inputSchema: schemaOf(tool) };
    described.set(tool, known);
  }
  return known;
}

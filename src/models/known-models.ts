import type { ModelInfo, ModelInput } from './contract.ts';

/** What can be told from a model's id. Ids come and go: everything here has an answer for one it does not know. */

const ALL: readonly ModelInput[] = ['text', 'image', 'file'];
const TEXT_ONLY: readonly ModelInput[] = ['text'];

/** First match wins; undefined is "not known". */
const INPUTS: readonly (readonly [RegExp, readonly ModelInput[] | undefined])[] = [
  [/^claude-(?:instant|v?[12])\b/, TEXT_ONLY],
  [/^claude-/, ALL],
  [/-(?:audio|realtime|search)\b/, undefined],
  [/^(?:gpt-3\.5|gpt-oss|o1-mini|o3-mini)/, TEXT_ONLY],
  [/^(?:gpt-4o|gpt-4\.1|gpt-[5-9]|o[134]\b)/, ALL],
];

/** Routers write `anthropic/claude-...`. */
const bare = (id: string): string => id.slice(id.lastIndexOf('/') + 1);

/** A model no provider lists can be described all the same. */
export function modelInfo(provider: string, id: string): ModelInfo {
  const input = INPUTS.find(([pattern]) => pattern.test(bare(id)))?.[1];
  return { id, provider, ...(input ? { input } : {}) };
}

/**
 * Anthropic's format cannot leave the longest answer unsaid. What a model allows, but no more than 32,000 tokens:
 * every Claude from 4 on allows that, it is more than a chat answer with its thinking takes, and on older models
 * the limit is taken out of the room for the conversation. A model that is no Claude is another server speaking the
 * format: 8,192 is what most of them allow.
 */
const OUTPUT_LIMITS: readonly (readonly [RegExp, number])[] = [
  [/^claude-(?:instant|v?2\b|3-(?:haiku|sonnet|opus))/, 4_096],
  [/^claude-3-5-/, 8_192],
  [/^claude-/, 32_000],
];
const OUTPUT_LIMIT = 8_192;

/** Tokens. */
export function outputLimit(id: string): number {
  return OUTPUT_LIMITS.find(([pattern]) => pattern.test(bare(id)))?.[1] ?? OUTPUT_LIMIT;
}

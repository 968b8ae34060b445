export * from './contract.ts';
export { classify, type Classification } from './classify.ts';
export { createLoopback, type LoopbackInit } from './loopback.ts';
export { createOpenAiCompletions, type OpenAiCompletionsInit } from './openai-completions.ts';
export { createProviders, defineProvider, type ModelsConfig, type ProviderConfig } from './registry.ts';

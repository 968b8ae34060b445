export * from './contract.ts';
export { createAnthropicMessages } from './anthropic-messages.ts';
export { classify, type Classification } from './classify.ts';
export { modelInfo } from './known-models.ts';
export { createLoopback, type LoopbackInit } from './loopback.ts';
export { createOpenAiCompletions } from './openai-completions.ts';
export { createOpenAiResponses } from './openai-responses.ts';
export { createProviders, defineProvider, type ModelsConfig, type ProviderConfig } from './registry.ts';
export type { SdkProviderInit } from './sdk-provider.ts';

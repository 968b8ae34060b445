import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { Provider } from './contract.ts';
import { createSdkProvider, type SdkProviderInit, type Wire } from './sdk-provider.ts';

const wire: Wire = {
  api: 'openai-completions',
  open({ name, baseURL, fetch }) {
    // Without `supportsStructuredOutputs` a schema that was asked for is dropped without a word.
    const options = { includeUsage: true, supportsStructuredOutputs: true };
    const sdk = createOpenAICompatible({ name, baseURL, fetch, ...options });
    return (id) => sdk.chatModel(id);
  },
};

/**
 * Any server that speaks OpenAI's chat completions.
 *
 * @throws CoppiceError PROVIDER_INVALID when `baseUrl` is no http address.
 */
export const createOpenAiCompletions = (init: SdkProviderInit): Provider => createSdkProvider(init, wire);

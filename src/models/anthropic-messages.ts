import { createAnthropic } from '@ai-sdk/anthropic';
import type { Provider } from './contract.ts';
import { outputLimit } from './known-models.ts';
import { createSdkProvider, type SdkProviderInit, type Wire } from './sdk-provider.ts';

const wire: Wire = {
  api: 'anthropic-messages',
  keyHeader: 'x-api-key',
  open({ baseURL, apiKey, fetch }) {
    const sdk = createAnthropic({ baseURL, apiKey, fetch });
    return (id) => sdk.messages(id);
  },
  options: ({ model, maxOutputTokens }) => ({
    maxOutputTokens: maxOutputTokens ?? outputLimit(model),
    // Tool calls are held back until the answer is whole, so there is no use for input that streams unchecked.
    providerOptions: { anthropic: { toolStreaming: false } },
  }),
};

/**
 * Any server that speaks Anthropic's messages. `anthropic-version` is sent with every call and can be replaced in
 * `headers`.
 *
 * @throws CoppiceError PROVIDER_INVALID when `baseUrl` is no http address.
 */
export const createAnthropicMessages = (init: SdkProviderInit): Provider => createSdkProvider(init, wire);

import { createOpenAI } from '@ai-sdk/openai';
import type { Provider } from './contract.ts';
import { createSdkProvider, type SdkProviderInit, type Wire } from './sdk-provider.ts';

const wire: Wire = {
  api: 'openai-responses',
  open({ baseURL, apiKey, fetch }) {
    const sdk = createOpenAI({ baseURL, apiKey, fetch });
    return (id) => sdk.responses(id);
  },
  // The transcript is kept here and sent whole; the server need not keep a second one, which it does if not told.
  options: () => ({ providerOptions: { openai: { store: false } } }),
};

/**
 * Any server that speaks OpenAI's responses.
 *
 * @throws CoppiceError PROVIDER_INVALID when `baseUrl` is no http address.
 */
export const createOpenAiResponses = (init: SdkProviderInit): Provider => createSdkProvider(init, wire);

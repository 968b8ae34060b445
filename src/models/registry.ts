import { CoppiceError } from '../errors.ts';
import type { Clock } from '../supervisor/clock.ts';
import { createAnthropicMessages } from './anthropic-messages.ts';
import type { Provider } from './contract.ts';
import { createLoopback } from './loopback.ts';
import { createOpenAiCompletions } from './openai-completions.ts';
import { createOpenAiResponses } from './openai-responses.ts';
import type { SdkProviderInit } from './sdk-provider.ts';

/** One row of `models.providers`, its secrets resolved. */
export interface ProviderConfig {
  readonly api: Provider['api'];
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Model ids to offer. The provider may be asked for others. */
  readonly models?: readonly string[] | undefined;
}

export interface ModelsConfig {
  readonly providers: Readonly<Record<string, ProviderConfig>>;
}

/**
 * Addresses that need not be written: only the providers called by their own name have one, and only for their own
 * format, because a key must not go to a host nobody named.
 */
const OWN_ADDRESS: Readonly<Partial<Record<Provider['api'], readonly [name: string, url: string]>>> = {
  'anthropic-messages': ['anthropic', 'https://api.anthropic.com/v1'],
  'openai-completions': ['openai', 'https://api.openai.com/v1'],
  'openai-responses': ['openai', 'https://api.openai.com/v1'],
};

function baseUrlOf(name: string, { api, baseUrl }: ProviderConfig): string {
  if (baseUrl !== undefined) return baseUrl;
  const [owner, url] = OWN_ADDRESS[api] ?? [];
  if (url !== undefined && owner === name) return url;
  throw new CoppiceError('PROVIDER_INVALID', { provider: name, field: 'baseUrl', reason: 'it is missing' });
}

const MAKERS: Readonly<Partial<Record<Provider['api'], (init: SdkProviderInit) => Provider>>> = {
  'anthropic-messages': createAnthropicMessages,
  'openai-completions': createOpenAiCompletions,
  'openai-responses': createOpenAiResponses,
};

function createProvider(name: string, config: ProviderConfig, clock: Clock): Provider {
  if (config.api === 'loopback') return createLoopback({ name, clock });
  const make = MAKERS[config.api];
  if (make) {
    const { apiKey, headers, models } = config;
    return make({ name, baseUrl: baseUrlOf(name, config), apiKey, headers, models, clock });
  }
  const reason = `"${config.api}" is not available in this version; use ${Object.keys(MAKERS).join(', ')} or loopback`;
  throw new CoppiceError('PROVIDER_INVALID', { provider: name, field: 'api', reason });
}

/**
 * The providers by name, in the order of the configuration.
 *
 * @throws CoppiceError PROVIDER_INVALID naming the first provider that cannot be made.
 */
export function createProviders(
  config: ModelsConfig,
  { clock }: { readonly clock: Clock },
): Map<string, Provider> {
  const rows = Object.entries(config.providers);
  return new Map(rows.map(([name, row]) => [name, createProvider(name, row, clock)]));
}

/** Keeps the type of a provider of your own; hand it to the gateway by name. */
export function defineProvider<P extends Provider>(provider: P): P {
  return provider;
}

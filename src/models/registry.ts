import { CoppiceError } from '../errors.ts';
import type { Clock } from '../supervisor/clock.ts';
import type { Provider } from './contract.ts';
import { createLoopback } from './loopback.ts';
import { createOpenAiCompletions } from './openai-completions.ts';

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

const OPENAI_URL = 'https://api.openai.com/v1';

/** Only the provider that is called openai has an address of its own: a key must not go to a host nobody named. */
function baseUrlOf(name: string, { baseUrl }: ProviderConfig): string {
  if (baseUrl !== undefined) return baseUrl;
  if (name === 'openai') return OPENAI_URL;
  throw new CoppiceError('PROVIDER_INVALID', { provider: name, field: 'baseUrl', reason: 'it is missing' });
}

function createProvider(name: string, config: ProviderConfig, clock: Clock): Provider {
  if (config.api === 'loopback') return createLoopback({ name, clock });
  if (config.api === 'openai-completions') {
    const { apiKey, headers, models } = config;
    return createOpenAiCompletions({
      name,
      baseUrl: baseUrlOf(name, config),
      apiKey,
      headers,
      models,
      clock,
    });
  }
  const reason = `"${config.api}" is not available in this version; use openai-completions or loopback`;
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

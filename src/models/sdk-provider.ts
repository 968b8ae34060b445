import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import type { Clock } from '../supervisor/clock.ts';
import { createCallWatch, type CallWatch } from './call-watch.ts';
import { classify } from './classify.ts';
import { ModelFailure, type ModelPart, type ModelRequest, type Provider } from './contract.ts';
import { toEndpoint, type Endpoint, type EndpointInit } from './endpoint.ts';
import { UnsendableError, type WireApi } from './file-part.ts';
import { modelInfo } from './known-models.ts';
import { createSend } from './one-request.ts';
import { toCallOptions } from './prompt.ts';
import { BrokenToolCall, Interrupted, parts } from './sdk-stream.ts';
import { describe, scrubError } from './secrets.ts';

export interface SdkProviderInit {
  /** The name under `models.providers`. */
  readonly name: string;
  /** Up to and with the version segment: `https://api.openai.com/v1`. May hold user:password or a query. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly models?: readonly string[] | undefined;
  /** Its time must be epoch milliseconds. */
  readonly clock: Clock;
}

/** What one wire format adds to the call they all share. */
export interface Wire {
  readonly api: WireApi;
  readonly keyHeader?: EndpointInit['keyHeader'];
  /** The SDK's model by id. `apiKey` is a stand-in: the real one is put on by `fetch`. */
  open(at: {
    name: string;
    baseURL: string;
    apiKey: string;
    fetch: typeof fetch;
  }): (id: string) => LanguageModelV4;
  /** Options of this format beside the common ones. */
  options?(request: ModelRequest): Partial<LanguageModelV4CallOptions>;
}

const STAND_IN_KEY = 'put-on-later';
const MESSAGE_LIMIT = 600;

function classOf(error: unknown, nowMs: number): ReturnType<typeof classify> {
  if (error instanceof Interrupted) return { class: 'interrupted' };
  if (error instanceof BrokenToolCall || error instanceof UnsendableError) return { class: 'format' };
  const found = classify(error, nowMs);
  // An abort that is neither the caller's nor a timer's came from below: the connection went away.
  return found.class === 'aborted' ? { ...found, class: 'interrupted' } : found;
}

function toFailure(error: unknown, { where, scrub }: Endpoint, nowMs: number): ModelFailure {
  if (error instanceof ModelFailure) return error;
  const { class: found, status, retryAfterMs } = classOf(error, nowMs);
  const said = scrub(describe(error)).slice(0, MESSAGE_LIMIT) || 'no message';
  const message = `${where}: ${status !== undefined && status >= 300 ? `answered ${status}: ` : ''}${said}`;
  return new ModelFailure({
    class: found,
    message,
    where,
    status,
    retryAfterMs,
    cause: scrubError(error, scrub),
  });
}

/**
 * Warnings of the SDK come as a part of the stream and end there. Only the package `ai` prints them, and it is not
 * in use, so there is nothing to silence.
 */
async function* call(
  model: LanguageModelV4,
  options: () => LanguageModelV4CallOptions,
  watch: CallWatch,
): AsyncGenerator<ModelPart> {
  if (watch.verdict) throw watch.verdict; // aborted before it began: no request at all
  const { stream } = await watch.wait(model.doStream(options()));
  yield* parts(stream, watch);
}

/** Options for the provider are joined key by key: both sides may have some for it. */
function joined(
  common: LanguageModelV4CallOptions,
  own: Partial<LanguageModelV4CallOptions> = {},
): LanguageModelV4CallOptions {
  const names = Object.keys({ ...common.providerOptions, ...own.providerOptions });
  const both = names.map((name) => [
    name,
    { ...common.providerOptions?.[name], ...own.providerOptions?.[name] },
  ]);
  return { ...common, ...own, ...(names.length > 0 ? { providerOptions: Object.fromEntries(both) } : {}) };
}

/**
 * A provider over one of the SDK's models. Exactly one HTTP request per call; retries, failover and cooldown belong
 * to the run.
 *
 * @throws CoppiceError PROVIDER_INVALID when `baseUrl` is no http address.
 */
export function createSdkProvider(init: SdkProviderInit, wire: Wire): Provider {
  const { name, clock, models = [] } = init;
  const { api, keyHeader } = wire;
  const endpoint = toEndpoint({ ...init, ...(keyHeader ? { keyHeader } : {}) });
  const { baseUrl: baseURL, where } = endpoint;
  const open = wire.open({ name, baseURL, apiKey: STAND_IN_KEY, fetch: createSend(endpoint) });
  const infos = models.map((id) => modelInfo(name, id));
  return {
    name,
    api,
    models: () => infos,
    async *stream(request, signal) {
      const { firstByteMs, idleMs } = request;
      const watch = createCallWatch({ clock, signal, firstByteMs, idleMs, where });
      const options = () => joined(toCallOptions(request, api, watch.signal), wire.options?.(request));
      try {
        yield* call(open(request.model), options, watch);
      } catch (error) {
        throw watch.verdict ?? toFailure(error, endpoint, clock.now());
      } finally {
        watch.close();
      }
    },
  };
}

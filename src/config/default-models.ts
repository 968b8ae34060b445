/**
 * The providers that a key in the environment switches on, and the model that answers where nobody named one. First
 * row with a key: the primary; the others are its fallbacks, in this order.
 */
export interface DefaultModel {
  /** The environment variable. */
  readonly key: string;
  /** The provider's name under `models.providers`. */
  readonly provider: string;
  readonly api: 'anthropic-messages' | 'openai-responses';
  readonly baseUrl: string;
  readonly model: string;
  /** Why this one. */
  readonly why: string;
}

export const DEFAULT_MODELS: readonly DefaultModel[] = [
  {
    key: 'ANTHROPIC_API_KEY',
    provider: 'anthropic',
    api: 'anthropic-messages',
    baseUrl: 'https://api.anthropic.com/v1',
    model: 'claude-haiku-5-5',
    why: 'the smallest Claude of its generation: heartbeats call it day and night, and who needs more names more',
  },
  {
    key: 'OPENAI_API_KEY',
    provider: 'openai',
    api: 'openai-responses',
    baseUrl: 'https://api.openai.com/v1',
    model: 'gpt-5.4-mini',
    why: 'a small one, for the same reason',
  },
];

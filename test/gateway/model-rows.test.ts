import { describe, expect, test } from 'vitest';
import type { Deps } from '../../src/actors/deps.ts';
import { modelPath } from '../../src/actors/paths.ts';
import { modelRows } from '../../src/gateway/models.ts';
import { createClock } from '../../src/host/index.ts';
import { createProviders } from '../../src/models/index.ts';

const rows = (states: Readonly<Record<string, unknown>>) => {
  const providers = createProviders(
    {
      providers: {
        anthropic: { api: 'anthropic-messages' },
        openai: { api: 'openai-responses', models: ['gpt-5.4', 'gpt-5.4-mini'] },
      },
    },
    { clock: createClock() },
  );
  // Of the registry only `peek` is asked.
  const registry = { peek: (path: string) => states[path] } as unknown as Deps['registry'];
  const candidates = [
    { provider: 'anthropic', model: 'claude-haiku-5-5' },
    { provider: 'openai', model: 'gpt-5.4-mini' },
  ];
  return modelRows({ providers, registry, facts: { candidates } });
};

describe('the rows of models.list', () => {
  test('begin with what the default agent asks, on a list of its provider or not, each model once', () => {
    expect(rows({}).map(({ provider, id, primary }) => [`${provider}/${id}`, primary])).toEqual([
      ['anthropic/claude-haiku-5-5', true],
      ['openai/gpt-5.4-mini', false],
      ['openai/gpt-5.4', undefined],
    ]);
  });

  test('tell the state of the provider, and until when it cools', () => {
    const cooling = { value: 'cooling', context: { untilAt: 60_000 } };
    const states = rows({ [modelPath('openai')]: cooling }).map(({ state, coolingUntil }) => [
      state,
      coolingUntil,
    ]);
    expect(states).toEqual([
      ['ready', undefined],
      ['cooling', 60_000],
      ['cooling', 60_000],
    ]);
  });
});

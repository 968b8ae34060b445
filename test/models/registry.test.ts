import { describe, expect, test } from 'vitest';
import { createClock } from '../../src/host/index.ts';
import { createProviders, defineProvider, type ModelsConfig, type Provider } from '../../src/models/index.ts';

const make = (providers: ModelsConfig['providers']): Map<string, Provider> =>
  createProviders({ providers }, { clock: createClock() });

describe('createProviders', () => {
  test('makes every configured provider under its name, in order', () => {
    const providers = make({
      local: { api: 'openai-completions', baseUrl: 'http://127.0.0.1:1/v1', models: ['a', 'b'] },
      loopback: { api: 'loopback' },
    });
    expect([...providers.keys()]).toEqual(['local', 'loopback']);
    expect(providers.get('local')?.models()).toEqual([
      { id: 'a', provider: 'local' },
      { id: 'b', provider: 'local' },
    ]);
    expect(providers.get('loopback')).toMatchObject({ name: 'loopback', api: 'loopback' });
  });

  test.each([
    ['openai', 'openai-completions'],
    ['openai', 'openai-responses'],
    ['anthropic', 'anthropic-messages'],
  ] as const)('%s has an address of its own for %s; another name or format has none', (name, api) => {
    expect(make({ [name]: { api, apiKey: 'k' } }).get(name)).toMatchObject({ name, api });
    expect(() => make({ mine: { api, apiKey: 'k' } })).toThrow(/"mine": baseUrl: it is missing/);
    const other = name === 'openai' ? 'anthropic-messages' : 'openai-responses';
    expect(() => make({ [name]: { api: other, apiKey: 'k' } })).toThrow(/baseUrl: it is missing/);
  });

  test.each(['not a url', 'ftp://x/v1', ''])(
    'the address %o is refused by name, without being printed',
    (baseUrl) => {
      expect(() => make({ mine: { api: 'openai-completions', baseUrl } })).toThrow(
        /"mine": baseUrl: expected an http or https address/,
      );
    },
  );

  test('an api this version does not have is refused with what to use instead', () => {
    expect(() => make({ mine: { api: 'custom' } })).toThrow(
      /"mine": api: "custom" is not available in this version; use anthropic-messages, .* or loopback/,
    );
  });

  test('says what a model takes where its name tells, and nothing where it does not', () => {
    const models = ['claude-haiku-5-5', 'router/gpt-5.4-mini', 'o3-mini', 'llama3.2', 'gpt-4o-audio-preview'];
    const provider = make({ local: { api: 'openai-completions', baseUrl: 'http://127.0.0.1:1/v1', models } });
    expect(
      provider
        .get('local')
        ?.models()
        .map(({ input }) => input),
    ).toEqual([['text', 'image', 'file'], ['text', 'image', 'file'], ['text'], undefined, undefined]);
  });

  test('defineProvider gives back what it got', () => {
    const provider = make({ loopback: { api: 'loopback' } }).get('loopback')!;
    expect(defineProvider(provider)).toBe(provider);
  });
});

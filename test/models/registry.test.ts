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

  test('openai alone has an address of its own', () => {
    expect(make({ openai: { api: 'openai-completions', apiKey: 'k' } }).size).toBe(1);
    expect(() => make({ mine: { api: 'openai-completions', apiKey: 'k' } })).toThrow(
      /"mine": baseUrl: it is missing/,
    );
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
    expect(() => make({ claude: { api: 'anthropic-messages' } })).toThrow(
      /"claude": api: "anthropic-messages" is not available/,
    );
  });

  test('defineProvider gives back what it got', () => {
    const provider = make({ loopback: { api: 'loopback' } }).get('loopback')!;
    expect(defineProvider(provider)).toBe(provider);
  });
});

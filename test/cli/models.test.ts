import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { list } from '../../src/cli/commands/models.ts';
import type { Io } from '../../src/cli/io.ts';
import { renderModels } from '../../src/cli/render/models.ts';
import { plain } from '../../src/cli/render/style.ts';
import type { ModelRow } from '../../src/server/port.ts';
import { startFakeGateway } from './fake-gateway.ts';

const LOOPBACK: ModelRow = {
  id: 'echo',
  provider: 'loopback',
  api: 'loopback',
  primary: true,
  state: 'ready',
};
const ROWS: ModelRow[] = [
  { id: 'claude-x', provider: 'anthropic', api: 'anthropic-messages', primary: true, state: 'ready' },
  {
    id: 'gpt-x',
    provider: 'openai',
    api: 'openai-responses',
    primary: false,
    state: 'cooling',
    coolingUntil: Date.UTC(2030, 0, 2, 3, 4, 5, 678),
  },
  { id: 'gpt-y', provider: 'openai', api: 'openai-responses', state: 'half_open' },
];

describe('the list of models', () => {
  test('says which is asked first, which then, and until when a provider cools', () => {
    expect(renderModels(ROWS, plain)).toEqual([
      'provider   model     asked     state',
      'anthropic  claude-x  primary   ready',
      'openai     gpt-x     fallback  cooling until 2030-01-02T03:04:05Z',
      'openai     gpt-y               trying again',
    ]);
  });

  test('says so when there is no real model, and only then', () => {
    expect(renderModels([LOOPBACK], plain).at(-1)).toMatch(/^Only the built-in loopback model .*API_KEY/);
    expect(renderModels([...ROWS, LOOPBACK], plain).join('\n')).not.toContain('Only the built-in');
  });

  test('survives a gateway that tells neither state nor part', () => {
    expect(renderModels([{ id: 'm', provider: 'p' }], plain)[1]).toBe('p         m             unknown');
    expect(renderModels([], plain)).toContain('No provider lists a model.');
  });

  test('a name cannot write to the terminal', () => {
    expect(renderModels([{ id: 'a\u001b[2Jb', provider: 'p' }], plain).join('')).not.toContain('\u001b');
  });
});

describe('the command', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'coppice-cli-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test.each([
    [false, 'openai     gpt-x     fallback'],
    [true, '"onlyLoopback":false'],
  ])('asks models.list and prints it (json: %s)', async (json, expected) => {
    const gateway = await startFakeGateway('t', { 'models.list': () => ({ models: ROWS }) });
    let out = '';
    const io: Io = {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: () => true },
      env: { COPPICE_STATE_DIR: dir },
    };
    expect(await list(io, { url: gateway.url, token: 't', json })).toBe(0);
    expect(out).toContain(expected);
    if (json) expect(JSON.parse(out)).toEqual({ models: ROWS, onlyLoopback: false });
    await gateway.close();
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { CoppiceError } from '../../src/errors.ts';
import { settingsOf } from '../../src/gateway/settings.ts';

const SECRET = 'a-long-secret-of-a-channel';

function load(channels: object, rest: object = {}, env: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'coppice-channels-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'config.jsonc');
  writeFileSync(path, JSON.stringify({ channels, ...rest }));
  return loadConfig({ path, env, flags: { stateDir: dir } });
}
function faultsOf(channels: object, rest: object = {}): string[] {
  try {
    load(channels, rest);
    return [];
  } catch (error) {
    const list = (error as CoppiceError).details['list'] as { path: string; message: string }[];
    return list.map(({ path, message }) => `${path}: ${message}`);
  }
}

describe('a webhook channel', () => {
  it('needs a type and a secret; the rest has defaults', () => {
    const { config, secrets } = load({ build: { type: 'webhook', secret: 'env:S' } }, {}, { S: SECRET });
    expect(config.channels['build']).toEqual({
      type: 'webhook',
      enabled: true,
      secret: SECRET,
      replayWindowMs: 300_000,
      maxBodyBytes: 1_048_576,
    });
    expect(secrets).toContain(SECRET);
  });

  it('is brought up unless it is switched off, and its secret is known to the log as one', () => {
    const hook = { type: 'webhook', secret: SECRET };
    const { config } = load({ build: hook, off: { ...hook, enabled: false } });
    const settings = settingsOf(config);
    expect(settings.webhooks.map(({ name }) => name)).toEqual(['build']);
    expect(settings.log.secrets).toContain(SECRET);
  });

  it.each([
    [{ a: { secret: SECRET } }, /^channels\.a\.type: "type" is missing; add it: one of "webhook"/],
    [
      { a: { type: 'webhok', secret: SECRET } },
      /^channels\.a\.type: expected one of "webhook"; did you mean/,
    ],
    [{ a: { type: 'telegram', botToken: 'x' } }, /^channels\.a\.type: expected one of "webhook"$/],
    [{ a: { type: 'webhook' } }, /^channels\.a\.secret: "secret" is missing/],
    [{ a: { type: 'webhook', secret: SECRET, secrt: 1 } }, /unknown key "secrt"; did you mean "secret"/],
    [{ a: { type: 'webhook', secret: SECRET, callbackUrl: 'ftp://x' } }, /callbackUrl: .*http or https/],
    [{ a: { type: 'webhook', secret: SECRET, signatureHeader: 'a b' } }, /signatureHeader: .*header name/],
    [
      { a: { type: 'webhook', secret: SECRET, scheme: 'md5' } },
      /scheme: expected one of "hmac-sha256", "github"/,
    ],
    [{ 'a/b': { type: 'webhook', secret: SECRET } }, /cannot be a name here: letters/],
    [{ webchat: { type: 'webhook', secret: SECRET } }, /gateway's own chat/],
    [{ a: { type: 'webhook', secret: SECRET, agentId: 'nobody' } }, /no agent "nobody"; name one of: main/],
    [
      { a: { type: 'webhook', secret: 'env:MISSING' } },
      /channels\.a\.secret: the environment variable MISSING/,
    ],
  ])('that is wrong is told so: %j', (channels, fault) => {
    const found = faultsOf(channels);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(fault);
  });
});

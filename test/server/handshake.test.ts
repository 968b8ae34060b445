import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import { SERVER_LIMITS, createServer } from '../../src/server/index.ts';
import { CONNECT, TOKEN, connected, dial, endRigs, meet, refusal, startRig, until } from './client.ts';

afterEach(endRigs);

describe('the handshake', () => {
  it.each([
    [3, 3, 3],
    [4, 4, 4],
    [1, 3, 3],
    [3, 9, 4],
  ])(
    'welcomes a client that offers %i to %i with protocol %i',
    async (minProtocol, maxProtocol, protocol) => {
      const rig = await startRig();
      const { hello } = await connected(rig, { minProtocol, maxProtocol });
      expect(hello.payload).toMatchObject({
        type: 'hello-ok',
        protocol,
        server: { version: '0.1.0-test', connId: expect.any(String) },
        snapshot: {
          health: { grade: 'ok' },
          presence: [],
          stateVersion: { presence: 0, health: 0 },
          authMode: 'token',
        },
        auth: { role: 'operator' },
        policy: { maxPayload: 1_048_576, maxBufferedBytes: 1_048_576, tickIntervalMs: 30_000 },
      });
    },
  );

  it('promises only methods that it answers', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    const { methods, events } = client.hello.payload.features;
    expect(methods).toContain('chat.send');
    expect(events).toContain('connect.challenge');
    for (const method of methods) {
      const answer = await client.request(method, { nonsense: 1 });
      expect(answer.error?.message, method).not.toMatch(/unknown method/);
    }
  });

  it('serves the protocol on / as well as on /ws', async () => {
    const rig = await startRig();
    const client = dial(rig.url.replace('/ws', '/'));
    await client.event('connect.challenge');
    expect((await client.request('connect', CONNECT)).ok).toBe(true);
  });

  it('ignores keys of a newer envelope and a newer connect', async () => {
    const rig = await startRig();
    const client = await meet(rig);
    client.send({
      type: 'req',
      id: 'x',
      method: 'connect',
      expectedProfileId: 'p',
      params: { ...CONNECT, locale: 'de', novelty: { a: 1 } },
    });
    expect((await client.answers('x', 1))[0]!.ok).toBe(true);
  });

  it.each([
    [1, 2],
    [5, 6],
  ])('closes with 1002 on a client that offers %i to %i', async (minProtocol, maxProtocol) => {
    const rig = await startRig();
    const client = await meet(rig);
    const answer = await client.request('connect', { ...CONNECT, minProtocol, maxProtocol });
    expect(answer.error).toMatchObject({ code: 'INVALID_REQUEST', details: { expectedProtocol: 4 } });
    expect((await client.closed).code).toBe(1002);
  });

  it('closes on a client that starts with anything but connect', async () => {
    const rig = await startRig();
    const client = await meet(rig);
    const answer = await client.request('health');
    expect(answer.error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/first request must be connect/),
    });
    expect((await client.closed).code).toBe(1008);
    expect(rig.server.clients).toBe(0);
  });

  it.each(['nonsense', '[]', '{"type":"event"}', '{"type":"req","id":"1"}'])(
    'closes on %s as the first frame',
    async (text) => {
      const rig = await startRig();
      const client = await meet(rig);
      client.send(text);
      expect((await client.closed).code).toBe(1008);
    },
  );

  it('names what is missing in connect', async () => {
    const rig = await startRig();
    const client = await meet(rig);
    const answer = await client.request('connect', {
      minProtocol: 3,
      maxProtocol: 4,
      auth: { token: TOKEN },
    });
    expect(answer.error?.message).toMatch(/client/);
    expect((await client.closed).code).toBe(1008);
  });

  it('lets a connected client live when it says connect twice', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    expect((await client.request('connect', CONNECT)).error?.code).toBe('INVALID_REQUEST');
    expect((await client.request('health')).ok).toBe(true);
  });

  it('closes a client that says nothing for ten seconds, and no sooner', async () => {
    const clock = createSimulatedClock();
    const rig = await startRig({ clock });
    const client = await meet(rig);
    await clock.advanceAsync(9_999);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
    await clock.advanceAsync(2);
    expect(await client.closed).toEqual({ code: 1008, reason: 'handshake timeout' });
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'client.refused', code: 'HANDSHAKE_TIMEOUT' }),
    );
  });

  it('takes the deadline away once the client is in', async () => {
    const clock = createSimulatedClock();
    const rig = await startRig({ clock });
    const client = await connected(rig);
    await clock.advanceAsync(SERVER_LIMITS.handshakeMs + 1);
    expect((await client.request('health')).ok).toBe(true);
  });

  it('turns away the stranger too many, and lets one in again when another has left', async () => {
    const rig = await startRig({ limits: { preAuthLoopback: 2 } });
    const first = await meet(rig);
    await meet(rig);
    expect((await refusal(rig.url)).status).toBe(503);
    await first.request('connect', CONNECT);
    await meet(rig);
  });
});

describe('the token', () => {
  it.each([
    ['a missing token', {}, 'AUTH_TOKEN_MISSING'],
    ['an empty token', { auth: { token: '' } }, 'AUTH_TOKEN_MISSING'],
    ['a wrong token', { auth: { token: 'wrong' } }, 'AUTH_TOKEN_MISMATCH'],
    ['a token with something behind it', { auth: { token: `${TOKEN}x` } }, 'AUTH_TOKEN_MISMATCH'],
    ['the token as a password', { auth: { password: TOKEN } }, 'AUTH_TOKEN_MISSING'],
  ])('refuses %s', async (_name, auth, code) => {
    const rig = await startRig({ limits: { authDelayMinMs: 1 } });
    const client = await meet(rig);
    const answer = await client.request('connect', { ...CONNECT, auth: undefined, ...auth });
    expect(answer.error).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { code },
      message: expect.stringMatching(/^unauthorized/),
    });
    expect((await client.closed).code).toBe(1008);
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'client.refused', code: 'AUTH_FAILED' }),
    );
    expect(JSON.stringify(rig.facts)).not.toContain(TOKEN);
  });

  it('answers wrong tokens later and later on loopback, while the right one is let in at once', async () => {
    const clock = createSimulatedClock();
    const rig = await startRig({ clock });
    const guess = async () => {
      const client = await meet(rig);
      client.send({
        type: 'req',
        id: 'g',
        method: 'connect',
        params: { ...CONNECT, auth: { token: 'guess' } },
      });
      return client;
    };
    /** The guess was read, and its answer is the next thing to come. */
    const held = (ms: number) => until(() => (clock.nextInMs ?? Infinity) <= ms);
    const first = await guess();
    await held(250);
    expect(first.frames).toHaveLength(1);
    await clock.advanceAsync(250);
    await first.closed;
    const second = await guess();
    await held(500);
    await clock.advanceAsync(499);
    expect(second.frames).toHaveLength(1);
    await connected(rig);
    await clock.advanceAsync(1);
    expect((await second.closed).code).toBe(1008);
  });

  it('is not asked for with auth.mode none on loopback', async () => {
    const rig = await startRig({ auth: { mode: 'none' } });
    const client = await connected(rig, { auth: undefined });
    expect(client.hello.payload.snapshot.authMode).toBe('none');
  });

  it.each([
    ['mode none', { mode: 'none' as const }, '0.0.0.0'],
    ['an empty token', { mode: 'token' as const, token: '' }, '127.0.0.1'],
  ])('does not serve at all with %s on %s', (_name, auth, host) => {
    const listener = { attach: () => () => {}, address: () => ({ host, port: 1 }) };
    const options = { clock: createSimulatedClock(), listener, report: () => {}, port: {} as never };
    expect(() => createServer({ ...options, auth })).toThrow(
      expect.objectContaining({ code: 'AUTH_REQUIRED' }),
    );
  });
});

describe('scopes', () => {
  it('grants all operator scopes when none is asked for', async () => {
    const { hello } = await connected(await startRig());
    expect(hello.payload.auth.scopes).toEqual(
      expect.arrayContaining(['operator.read', 'operator.write', 'operator.admin']),
    );
  });

  it('grants what is asked for, but nothing that is no operator scope', async () => {
    const { hello } = await connected(await startRig(), { scopes: ['operator.read', 'root', 'node.all'] });
    expect(hello.payload.auth.scopes).toEqual(['operator.read']);
  });

  it.each([
    ['operator.read', 'chat.history', true],
    ['operator.read', 'chat.send', false],
    ['operator.read', 'actor.kill', false],
    ['operator.write', 'chat.history', true],
    ['operator.write', 'sessions.reset', false],
    ['operator.admin', 'chat.history', true],
    ['operator.pairing', 'health', false],
  ])('with %s alone, %s is allowed: %s', async (scope, method, allowed) => {
    const client = await connected(await startRig(), { scopes: [scope] });
    const answer = await client.request(method);
    if (allowed) expect(answer.ok).toBe(true);
    else
      expect(answer.error).toMatchObject({
        code: 'FORBIDDEN',
        details: { code: 'MISSING_SCOPE' },
        message: expect.stringMatching(/missing scope: operator\./),
      });
  });

  it('has no place for the role node', async () => {
    const client = await meet(await startRig());
    expect((await client.request('connect', { ...CONNECT, role: 'node' })).error?.message).toMatch(
      /role "node"/,
    );
  });
});

describe('the device proof', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(12);
  const id = createHash('sha256').update(raw).digest('hex');
  const prove = (nonce: string, change: Record<string, unknown> = {}, version = 'v3') => {
    const signedAt = (change['signedAt'] as number) ?? Date.now();
    const fields = [version, id, 'cli', 'cli', 'operator', 'operator.read', signedAt, TOKEN, nonce];
    const text = (version === 'v3' ? [...fields, 'linux', ''] : fields).join('|');
    const signature = sign(null, Buffer.from(text), privateKey).toString('base64url');
    return { id, publicKey: raw.toString('base64url'), signature, signedAt, nonce, ...change };
  };
  const scopes = ['operator.read'];

  it.each(['v2', 'v3'])('is accepted when it holds (%s)', async (version) => {
    const client = await meet(await startRig());
    const answer = await client.request('connect', {
      ...CONNECT,
      scopes,
      device: prove(client.nonce, {}, version),
    });
    expect(answer.ok).toBe(true);
  });

  it.each([
    ['a foreign id', { id: 'f'.repeat(64) }, 'device-id-mismatch'],
    ['a broken key', { publicKey: 'AAAA' }, 'device-public-key'],
    ['a broken signature', { signature: 'AAAA' }, 'device-signature'],
    ['an old signature', { signedAt: Date.now() - 11 * 60_000 }, 'device-signature-stale'],
    ['the nonce of another connection', { nonce: 'other' }, 'device-nonce-mismatch'],
    ['no nonce', { nonce: undefined }, 'device-nonce-mismatch'],
  ])('is refused with %s, whatever the token', async (_name, change, reason) => {
    const client = await meet(await startRig());
    const answer = await client.request('connect', {
      ...CONNECT,
      scopes,
      device: prove(client.nonce, change),
    });
    expect(answer.error?.details).toMatchObject({ authReason: reason });
    expect((await client.closed).code).toBe(1008);
  });

  it('does not stand for a token', async () => {
    const client = await meet(await startRig());
    const answer = await client.request('connect', {
      ...CONNECT,
      scopes,
      auth: {},
      device: prove(client.nonce),
    });
    expect(answer.error?.details).toMatchObject({ code: 'AUTH_TOKEN_MISSING' });
  });
});

describe('before the upgrade', () => {
  it.each([
    ['a page from elsewhere', { origin: 'https://evil.example' }, 403, 'COPPICE_ORIGIN_REFUSED'],
    ['a page without an origin', { origin: 'null' }, 403, 'COPPICE_ORIGIN_REFUSED'],
    ['a rebound host name', { headers: { host: 'evil.example' } }, 403, 'COPPICE_HOST_REFUSED'],
    [
      'a rebound host name with its own origin',
      { headers: { host: 'evil.example' }, origin: 'http://evil.example' },
      403,
      'COPPICE_HOST_REFUSED',
    ],
  ])('refuses %s', async (_name, options, status, code) => {
    const rig = await startRig();
    const answer = await refusal(rig.url, options);
    expect(answer).toMatchObject({ status, body: { error: { code, remedy: expect.any(String) } } });
  });

  it('refuses a token in the address, and does not repeat it', async () => {
    const rig = await startRig();
    const answer = await refusal(`${rig.url}?token=${TOKEN}`);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'COPPICE_TOKEN_IN_URL' } } });
    expect(JSON.stringify([answer, rig.facts])).not.toContain(TOKEN);
  });

  it('refuses other paths', async () => {
    const rig = await startRig();
    expect((await refusal(rig.url.replace('/ws', '/socket'))).status).toBe(404);
  });

  it('lets the own page in, and pages the operator named', async () => {
    const rig = await startRig({ allowedOrigins: ['https://desk.example'] });
    for (const origin of [rig.http, 'https://desk.example']) {
      const client = await meet(rig, { origin });
      expect((await client.request('connect', CONNECT)).ok).toBe(true);
    }
    await meet(rig, { headers: { host: 'desk.example' } });
  });
});

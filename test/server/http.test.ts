import { createConnection } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import { TOKEN, endRigs, fiveGuesses, rawHttp, startRig } from './client.ts';

afterEach(endRigs);

const bearer = { headers: { authorization: `Bearer ${TOKEN}` } };

describe('probes', () => {
  it.each(['/livez', '/healthz'])('%s asks the supervisor and nothing else', async (path) => {
    const rig = await startRig();
    rig.fake.state.healthError = new Error('the core is down');
    rig.fake.state.ready = false;
    expect((await fetch(rig.http + path)).status).toBe(200);
    rig.fake.state.live = false;
    expect((await fetch(rig.http + path)).status).toBe(503);
  });

  it('/readyz says why not, to this machine', async () => {
    const rig = await startRig();
    expect(await (await fetch(`${rig.http}/readyz`)).json()).toEqual({ status: 'ready', reasons: [] });
    rig.fake.state.ready = false;
    const answer = await fetch(`${rig.http}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ status: 'not ready', reasons: ['gateway/core is starting'] });
  });
});

describe('/api', () => {
  it.each(['/api/tree', '/api/health'])('%s needs the bearer token', async (path) => {
    const rig = await startRig({ limits: { authDelayMinMs: 1, authDelayMaxMs: 1 } });
    const none = await fetch(rig.http + path);
    expect(none.status).toBe(401);
    expect(none.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(await none.json()).toMatchObject({
      error: { code: 'COPPICE_AUTH_FAILED', remedy: expect.any(String) },
    });
    expect((await fetch(rig.http + path, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    expect((await fetch(rig.http + path, { headers: { authorization: `Basic ${TOKEN}` } })).status).toBe(401);
    expect((await fetch(rig.http + path, bearer)).status).toBe(200);
  });

  it('answers with the tree and with health', async () => {
    const rig = await startRig();
    expect(await (await fetch(`${rig.http}/api/tree`, bearer)).json()).toMatchObject({
      tree: { path: 'gateway' },
    });
    expect(await (await fetch(`${rig.http}/api/health`, bearer)).json()).toMatchObject({ grade: 'ok' });
  });

  it('reports what fails inside, and tells nothing of it', async () => {
    const rig = await startRig();
    rig.fake.state.healthError = new Error('secret path');
    const answer = await fetch(`${rig.http}/api/health`, bearer);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('secret');
    expect(rig.facts).toContainEqual(expect.objectContaining({ type: 'actor.fault' }));
  });

  it('refuses guesses unread while 32 wrong answers are held back', async () => {
    const clock = createSimulatedClock();
    const rig = await startRig({ clock, limits: { authHeld: 3, authDelayMinMs: 300, authDelayMaxMs: 300 } });
    const guess = () => fetch(`${rig.http}/api/tree`, { headers: { authorization: 'Bearer guess' } });
    const answers = await fiveGuesses(clock, guess);
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([401, 401, 401, 429, 429]);
    expect(answers.find((answer) => answer.status === 429)!.headers.get('retry-after')).toBe('1');
  });
});

describe('every request', () => {
  it('gets the security headers, refusals included', async () => {
    const rig = await startRig();
    for (const path of ['/', '/livez', '/nothing', '/api/tree']) {
      const { headers } = await fetch(rig.http + path);
      expect(headers.get('content-security-policy'), path).toMatch(/^default-src 'none'/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it.each([`/?token=${TOKEN}`, `/api/tree?access_token=${TOKEN}`, `/livez?a=1&Token=${TOKEN}`])(
    'with a secret in the address is refused: %s',
    async (path) => {
      const rig = await startRig();
      const answer = await fetch(rig.http + path);
      expect(answer.status).toBe(400);
      const text = await answer.text();
      expect(text).toContain('COPPICE_TOKEN_IN_URL');
      expect(text).not.toContain(TOKEN);
    },
  );

  it.each([
    'evil.example',
    'evil.example:80',
    '192.168.0.7',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'a b',
  ])('for the host %s is refused on a loopback bind', async (host) => {
    const rig = await startRig();
    const answer = await rawHttp(rig, `GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 (403|400)/);
  });

  it.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '127.8.8.8', '[::1]:18789', 'coppice.localhost'])(
    'for the host %s is answered',
    async (host) => {
      const rig = await startRig();
      expect(await rawHttp(rig, `GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1.1 200/,
      );
    },
  );

  it('for what is not there is told so in JSON', async () => {
    const rig = await startRig();
    const answer = await fetch(`${rig.http}/nothing`, { method: 'POST', body: 'x' });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({
      error: { code: 'COPPICE_PAGE_NOT_FOUND', message: 'there is nothing at POST /nothing' },
    });
    expect((await fetch(`${rig.http}/ws`)).status).toBe(426);
  });

  it('that never ends its headers is ended', async () => {
    const rig = await startRig({ limits: { handshakeMs: 3_000 } });
    const socket = createConnection(rig.server.address.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume().write('GET / HTTP/1.1\r\nHost: localhost\r\n');
    await once(socket, 'close');
    expect((await fetch(`${rig.http}/livez`)).status).toBe(200);
  });
});

describe('the dashboard', () => {
  it('comes as one page with its script, its parts and its style, and nothing from elsewhere', async () => {
    const rig = await startRig();
    const page = await fetch(`${rig.http}/`);
    expect(page.headers.get('content-type')).toMatch(/text\/html/);
    const html = await page.text();
    expect(html).toContain('0.1.0-test');
    expect(html).not.toMatch(/\{\{|https?:\/\//);
    const queue = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1]!);
    const seen = new Set<string>();
    for (const path of queue) {
      const answer = await fetch(rig.http + path);
      expect(answer.status, path).toBe(200);
      const text = await answer.text();
      seen.add(path);
      for (const [, name] of text.matchAll(/from '\.\/([^']+)'/g))
        if (!seen.has(`/dashboard/${name}`)) queue.push(`/dashboard/${name}`);
      if (path.endsWith('.ts')) expect(text).not.toMatch(/\binterface\b/);
    }
    expect([...seen].toSorted()).toEqual([
      '/dashboard/chat-view.ts',
      '/dashboard/gateway-link.ts',
      '/dashboard/main.ts',
      '/dashboard/style.css',
      '/dashboard/tree-view.ts',
    ]);
  });

  it.each(['/dashboard/index.html', '/dashboard/..%2fserver.ts', '/dashboard/other.ts'])(
    'gives no other file away: %s',
    async (path) => {
      const rig = await startRig();
      expect((await fetch(rig.http + path)).status).toBe(404);
    },
  );
});

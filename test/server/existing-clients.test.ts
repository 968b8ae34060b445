/** What command lines and chat windows of this protocol ask for, as they ask for it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakePort } from './fake-port.ts';
import { connected, endRigs, startRig, TOKEN, until, type Rig, type TestClient } from './client.ts';

const WINDOW = { id: 'chat-window', displayName: 'A window', version: '9', platform: 'linux', mode: 'ui' };

let rig: Rig;
let client: TestClient;

beforeEach(async () => {
  rig = await startRig();
  client = await connected(rig);
});
afterEach(endRigs);

describe('a probe', () => {
  it('finds every answer of its first look: health, status, who is here, and the configuration', async () => {
    const names = ['health', 'status', 'system-presence', 'config.get'];
    const answers = await Promise.all(names.map((name) => client.request(name)));
    expect(answers.map((answer) => answer.ok)).toEqual([true, true, true, true]);
  });

  it('is told of the heartbeat and the sessions of every agent', async () => {
    const { agents } = (await client.request('health')).payload;
    expect(agents).toMatchObject([
      {
        agentId: 'main',
        isDefault: true,
        heartbeat: { enabled: true, everyMs: 1_800_000 },
        sessions: { path: '/state', count: 1 },
      },
      { agentId: 'helper', isDefault: false, sessions: { path: '/state' } },
    ]);
  });

  it('hears the same of the agents in the hello as from health', async () => {
    const other = await connected(rig);
    const { agents } = (await other.request('health')).payload;
    expect(other.hello.payload.snapshot.health.agents).toEqual(agents);
  });

  it('counts the sessions of each of several agents by themselves', async () => {
    const fake = createFakePort();
    const port = fake.port;
    const row = (sessionKey: string, agentId: string) => ({
      sessionKey,
      agentId,
      sessionId: sessionKey,
      createdAt: 1,
      updatedAt: 2,
      messageCount: 0,
    });
    const rows = [row('a', 'main'), row('b', 'helper'), row('c', 'helper')];
    const view = port.health;
    const several = {
      ...fake,
      port: {
        ...port,
        health: () => ({ ...view(), agents: [{ agentId: 'main' }, { agentId: 'helper' }] }),
        sessions: (query: { agentId?: string } = {}) =>
          rows.filter((one) => !query.agentId || one.agentId === query.agentId),
      },
    };
    const other = await connected(await startRig({}, several));
    const { agents } = (await other.request('health')).payload;
    expect(agents).toMatchObject([
      { sessions: { count: 1, recent: [{ key: 'a' }] } },
      { sessions: { count: 2, recent: [{ key: 'b' }, { key: 'c' }] } },
    ]);
  });

  it('may leave the summary of channels out, and is answered the same', async () => {
    expect((await client.request('status', { includeChannelSummary: false })).ok).toBe(true);
  });

  it('sees the gateway first and the windows that stay open, but no passing command', async () => {
    await connected(rig, { client: WINDOW });
    const { payload } = await client.request('system-presence');
    expect(payload).toMatchObject([
      { mode: 'gateway', reason: 'self', version: '0.1.0-test' },
      { host: 'A window', mode: 'ui', ip: '127.0.0.1', version: '9', ts: expect.any(Number) },
    ]);
  });

  it('no longer sees a window that is gone', async () => {
    const window = await connected(rig, { client: WINDOW });
    window.ws.close();
    await until(() => rig.server.clients === 1);
    expect((await client.request('system-presence')).payload).toHaveLength(1);
  });

  it('reads how this server is reached, and no token', async () => {
    const answer = await client.request('config.get', {});
    expect(answer.payload).toMatchObject({
      exists: false,
      valid: true,
      issues: [],
      config: { gateway: { bind: 'loopback', port: rig.server.address.port, auth: { mode: 'token' } } },
    });
    expect(JSON.stringify(answer)).not.toContain(TOKEN);
  });

  it('gets whole milliseconds from agent.wait', async () => {
    void client.request('agent', { message: 'hi', idempotencyKey: 'w' });
    await until(() => rig.fake.runs.has('w'));
    rig.fake.say('w', { kind: 'started', startedAt: 10.7 });
    rig.fake.settle('w', { status: 'ok', endedAt: 20.2 });
    const { payload } = await client.request('agent.wait', { runId: 'w' });
    expect(payload).toMatchObject({ status: 'ok', startedAt: 11, endedAt: 20 });
  });
});

describe('channels.status', () => {
  it('lists one account for each channel, or for the one that is asked for', async () => {
    const fake = createFakePort();
    const { health } = fake.port;
    const channel = (status: string) => ({ accountId: 'default', configured: true, linked: true, status });
    const port = {
      ...fake.port,
      health: () => ({
        ...health(),
        channels: { one: channel('running'), two: channel('parked') },
        channelOrder: ['one', 'two'],
        channelLabels: { one: 'One', two: 'Two' },
      }),
    };
    const other = await connected(await startRig({}, { ...fake, port }));
    const all = await other.request('channels.status', { probe: true, timeoutMs: 5_000 });
    expect(all.payload).toMatchObject({
      channelOrder: ['one', 'two'],
      channelAccounts: { one: [{ accountId: 'default', running: true }], two: [{ running: false }] },
      channelDefaultAccountId: { one: 'default', two: 'default' },
    });
    const { payload } = await other.request('channels.status', { channel: 'two' });
    expect(Object.keys(payload.channelAccounts)).toEqual(['two']);
  });
});

describe('a chat window', () => {
  it('that subscribed hears of turns and resets in every session, and one that did not hears nothing', async () => {
    const other = await connected(rig);
    expect((await client.request('sessions.subscribe', {})).payload).toEqual({ subscribed: true });
    rig.fake.say('r', { kind: 'started', startedAt: 1 });
    rig.fake.say('r', { kind: 'ended', status: 'error', text: '', endedAt: 2 });
    await client.request('sessions.reset', { key: 'k', reason: 'new' });
    await other.request('health');
    const changes = (of: TestClient) => of.frames.filter((frame) => frame.event === 'sessions.changed');
    expect(changes(client).map(({ payload }) => payload)).toMatchObject([
      { sessionKey: 'agent:main:main', phase: 'start', runId: 'r' },
      { sessionKey: 'agent:main:main', phase: 'error', runId: 'r' },
      { sessionKey: 'k', reason: 'new' },
    ]);
    expect(changes(other)).toEqual([]);
  });

  it('hears no more once it has unsubscribed', async () => {
    await client.request('sessions.subscribe');
    expect((await client.request('sessions.unsubscribe')).payload).toEqual({ subscribed: false });
    rig.fake.say('r', { kind: 'started', startedAt: 1 });
    await client.request('health');
    expect(client.frames.some((frame) => frame.event === 'sessions.changed')).toBe(false);
  });

  it('gets the list along with its subscription when it asks for one', async () => {
    const { payload } = await client.request('sessions.subscribe', { limit: 5 });
    expect(payload).toMatchObject({ subscribed: true, list: { count: 1 } });
  });

  it('is told of one session, and of none without an error', async () => {
    rig.fake.port.session = (key) => (key === 'here' ? rig.fake.port.sessions()[0] : undefined);
    const described = async (key: string) =>
      (await client.request('sessions.describe', { key, agentId: 'main' })).payload;
    expect(await described('here')).toMatchObject({ session: { sessionId: 's1', messageCount: 3 } });
    expect(await described('gone')).toEqual({ session: null });
  });

  it('may name the session it last saw; the key alone says where the message goes', async () => {
    const sent = { sessionKey: 'k', sessionId: 'an older one', message: 'hi', idempotencyKey: '1' };
    expect((await client.request('chat.send', sent)).payload).toEqual({ runId: '1', status: 'started' });
    expect(rig.fake.state.offers).toMatchObject([{ sessionKey: 'k' }]);
  });

  it('can stop a turn while it asks to spare side runs', async () => {
    await client.request('chat.send', { sessionKey: 'k', message: 'hi', idempotencyKey: '1' });
    const { payload } = await client.request('chat.abort', { sessionKey: 'k', preserveSideRuns: true });
    expect(payload).toEqual({ ok: true, aborted: true, runIds: ['1'] });
  });

  it('asks for the models of its agent', async () => {
    const { payload } = await client.request('models.list', { agentId: 'main' });
    expect(payload.models).toHaveLength(1);
  });
});

describe('a client that reads deltas alone', () => {
  it('has the whole text before the end comes, however fast the turn was', async () => {
    for (const text of ['I ', 'I am ', 'I am here'])
      rig.fake.say('r', { kind: 'text', text, delta: text.slice(-5) });
    rig.fake.say('r', { kind: 'ended', status: 'ok', text: 'I am here', endedAt: 2 });
    await client.next((frame) => frame.event === 'chat' && frame.payload.state === 'final');
    const chat = client.frames.filter((frame) => frame.event === 'chat').map(({ payload }) => payload);
    expect(chat.at(-2)).toMatchObject({ state: 'delta', message: { content: [{ text: 'I am here' }] } });
    expect(chat.at(-1)).toMatchObject({ state: 'final', message: { content: [{ text: 'I am here' }] } });
  });

  it('does not get the same delta twice', async () => {
    rig.fake.say('r', { kind: 'text', text: 'all', delta: 'all' });
    await client.next((frame) => frame.event === 'chat');
    rig.fake.say('r', { kind: 'ended', status: 'ok', text: 'all', endedAt: 2 });
    await client.next((frame) => frame.event === 'chat' && frame.payload.state === 'final');
    const states = client.frames
      .filter((frame) => frame.event === 'chat')
      .map(({ payload }) => payload.state);
    expect(states).toEqual(['delta', 'final']);
  });
});

describe('agent with a session id', () => {
  const sessionOf = async (params: object): Promise<string> => {
    const before = rig.fake.state.offers.length;
    void client.request('agent', { message: 'hi', idempotencyKey: `k${before}`, ...params });
    await until(() => rig.fake.state.offers.length > before);
    return rig.fake.state.offers.at(-1)!.sessionKey;
  };

  it('goes on with the session that has it', async () => {
    expect(await sessionOf({ sessionId: 's1' })).toBe('agent:main:main');
  });

  it('keeps two ids nobody has apart from each other and from the main session', async () => {
    expect(await sessionOf({ sessionId: 'one' })).toBe('agent:main:explicit:one');
    expect(await sessionOf({ sessionId: 'two', agentId: 'helper' })).toBe('agent:helper:explicit:two');
  });

  it('follows the key when there is one', async () => {
    expect(await sessionOf({ sessionId: 'one', sessionKey: 'k' })).toBe('k');
  });
});

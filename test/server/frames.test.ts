import { afterEach, describe, expect, it } from 'vitest';
import { readFrame, readTraceparent } from '../../src/server/protocol/frames.ts';
import { jsonDepth } from '../../src/server/protocol/json.ts';
import { connected, endRigs, meet, startRig, until } from './client.ts';

afterEach(endRigs);

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('frames from strangers', () => {
  it('close with 1009 above 64 KiB before the handshake', async () => {
    const rig = await startRig();
    const client = await meet(rig);
    client.send(`"${'x'.repeat(65_536)}"`);
    expect((await client.closed).code).toBe(1009);
    await until(() => rig.facts.some((fact) => fact.type === 'client.refused'));
  });

  it('pass up to 1 MiB after the handshake, and close with 1009 above it', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    const answer = await client.request('chat.send', {
      message: 'x'.repeat(1_000_000),
      idempotencyKey: 'big',
    });
    expect(answer.ok).toBe(true);
    client.send(`"${'x'.repeat(1_048_576)}"`);
    expect((await client.closed).code).toBe(1009);
  });

  it('close with 1003 when binary', async () => {
    const client = await connected(await startRig());
    client.ws.send(Buffer.from('{}'));
    expect((await client.closed).code).toBe(1003);
  });

  it('are refused, one by one, when they nest deeper than 64, and the client lives', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    client.send(`{"type":"req","id":"deep","method":"health","params":${nested(64)}}`);
    const [answer] = await client.answers('invalid', 1);
    expect(answer!.error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/deeper than 64/),
    });
    client.send(`{"type":"req","id":"ok","method":"health","extra":${nested(63)}}`);
    expect((await client.answers('ok', 1))[0]!.ok).toBe(true);
  });

  it('do not exhaust the stack with 300,000 brackets', async () => {
    const client = await connected(await startRig());
    client.send('['.repeat(300_000));
    expect((await client.answers('invalid', 1))[0]!.ok).toBe(false);
    expect((await client.request('health')).ok).toBe(true);
  });

  it('count only the last of a repeated key, for the check and for the deed alike', async () => {
    const rig = await startRig();
    const client = await connected(rig, { scopes: ['operator.read'] });
    client.send(
      '{"type":"req","id":"twice","method":"health","method":"actor.kill","params":{"path":"gateway/core"}}',
    );
    expect((await client.answers('twice', 1))[0]!.error?.code).toBe('FORBIDDEN');
    expect(rig.fake.state.kills).toEqual([]);
  });

  it.each(['__proto__', 'constructor', 'prototype'])(
    'with %s as a parameter are refused by name',
    async (name) => {
      const client = await connected(await startRig());
      client.send(`{"type":"req","id":"p","method":"health","params":{"${name}":{"polluted":true}}}`);
      expect((await client.answers('p', 1))[0]!.error?.message).toContain(`"${name}"`);
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    },
  );

  it('with __proto__ in the envelope gain nothing', async () => {
    const client = await connected(await startRig());
    client.send('{"type":"req","id":"e","__proto__":{"method":"health"},"constructor":1}');
    expect((await client.answers('e', 1))[0]!.error?.code).toBe('INVALID_REQUEST');
  });

  it('end a client whose frames never make sense', async () => {
    const client = await connected(await startRig());
    for (let count = 0; count < 10; count += 1) client.send('nonsense');
    expect((await client.closed).code).toBe(1008);
  });

  it('as many tiny fragments close the connection, and the server lives', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    for (let count = 0; count < 400; count += 1) client.ws.send('[', { fin: false });
    await client.closed;
    await connected(rig);
  });

  it('beyond the bound of unanswered requests are refused as retryable', async () => {
    const rig = await startRig({ limits: { requestsInFlight: 2 } });
    const client = await connected(rig);
    for (const key of ['a', 'b'])
      client.send({ type: 'req', id: key, method: 'agent', params: { message: 'hi', idempotencyKey: key } });
    await client.answers('b', 1);
    expect((await client.request('health')).error).toMatchObject({
      code: 'UNAVAILABLE',
      retryable: true,
      retryAfterMs: 1_000,
    });
    rig.fake.settle('a', { status: 'ok' });
    await client.answers('a', 2);
    expect((await client.request('health')).ok).toBe(true);
  });
});

describe('jsonDepth', () => {
  it.each([
    ['1', 0],
    ['{"a":[1,{"b":2}]}', 3],
    ['"[[[["', 0],
    ['"\\"[["', 0],
    ['["\\\\",[]]', 2],
    ['"never closed [[', 0],
    ['[[[[[[', 4],
  ])('of %s is %i', (text, depth) => {
    expect(jsonDepth(text, 3)).toBe(depth);
  });
});

describe('readFrame', () => {
  it('gives the id back where there is one, and "invalid" where not', () => {
    const limits = { jsonDepth: 64 };
    expect(readFrame('{"id":"7","type":"res"}', limits)).toMatchObject({ ok: false, id: '7' });
    expect(readFrame('{"id":7}', limits)).toMatchObject({ ok: false, id: 'invalid' });
  });

  it('takes up a trace, and leaves a broken one aside', () => {
    const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    expect(readTraceparent(trace)).toEqual({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) });
    for (const bad of [
      undefined,
      '',
      'x',
      trace.replace('00-', '01-'),
      `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    ]) {
      expect(readTraceparent(bad)).toBeUndefined();
    }
  });
});

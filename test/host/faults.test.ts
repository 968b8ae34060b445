import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callbackEffect, currentOwner, promiseEffect, type Guards } from '../../src/host/index.ts';
import type { ChildSpec } from '../../src/supervisor/index.ts';
import { createStand, eventually } from './stand.ts';

const server = createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.write('hello');
  socket.once('data', () => socket.resetAndDestroy());
});
beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
afterAll(() => void server.close());
const socketOf = (): ReturnType<typeof connect> =>
  connect((server.address() as AddressInfo).port, '127.0.0.1');

const thrower = (): never => {
  throw new Error('guarded');
};
const rejecter = async (): Promise<void> => thrower();

/** Each way of going wrong, behind the guard that is made for it. */
const KINDS: Record<string, (guards: Guards) => unknown> = {
  'a floating rejection': ({ guard }) => guard(rejecter)(),
  'a late timer throw': ({ guard }) => setTimeout(guard(thrower), 1),
  'a throw in a socket listener': ({ guard, adopt }) => adopt(socketOf()).on('data', guard(thrower)),
  'a throw in a listener of an emitter': ({ guard }) => {
    const emitter = new EventEmitter().on('x', guard(thrower));
    setImmediate(() => emitter.emit('x'));
  },
  'an error event of a socket without a listener': ({ adopt }) => adopt(socketOf()).write('reset me'),
  'an error event of an emitter without a listener': ({ adopt }) => {
    const emitter = adopt(new EventEmitter());
    setImmediate(() => emitter.emit('error', new Error('guarded')));
  },
  'an async callback that rejects': ({ guard }) => setTimeout(guard(rejecter), 1),
  'a failure it tells itself, twice': ({ fail }) => {
    setTimeout(() => {
      fail(new Error('guarded'));
      fail(new Error('again'));
    }, 1);
  },
};

const callback = (act: (guards: Guards) => unknown): ChildSpec['logic'] =>
  callbackEffect<{ type: 'none' }, { incarnation: number }>(({ input, ...guards }) => {
    if (input.incarnation === 1) act(guards);
  });
const promise = (act: (guards: Guards) => unknown): ChildSpec['logic'] =>
  promiseEffect<void, { incarnation: number }>(({ input, ...guards }) => {
    if (input.incarnation === 1) act(guards);
    return new Promise(() => {});
  });

it.each(
  Object.keys(KINDS).flatMap((kind) => [
    [kind, 'callback', callback] as const,
    [kind, 'promise', promise] as const,
  ]),
)(
  '%s of a %s effect is one fault of that effect, which lives again beside its sibling',
  async (kind, _, made) => {
    const stand = createStand([
      { id: 'one', logic: made(KINDS[kind]!) },
      { id: 'two', logic: made(() => {}) },
    ]);
    await eventually(() => stand.life('one') === 2);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const message = kind.includes('of a socket') ? 'error ECONNRESET' : 'error guarded';
    expect([stand.endings('one'), stand.life('one'), stand.life('two')]).toEqual([[message], 2, 1]);
  },
);

it.each(Object.keys(KINDS))('%s three supervisors deep stops at the lowest of them', async (kind) => {
  const rules = { strategy: 'one_for_one', intensity: 1, periodMs: 60_000 } as const;
  const stand = createStand(({ supervisor }) => {
    const effects = [
      { id: 'one', logic: callback(KINDS[kind]!) },
      { id: 'two', logic: promise(() => {}) },
    ];
    const low = supervisor({ ...rules, children: effects });
    return [{ id: 'mid', logic: supervisor({ ...rules, children: [{ id: 'low', logic: low }] }) }];
  });
  await eventually(() => stand.life('mid/low/one') === 2);
  const ended = stand.reports.filter(({ body }) => body.type === 'child_terminated');
  expect(ended.map(({ childPath }) => childPath)).toEqual(['app/mid/low/one']);
  expect(['mid', 'mid/low', 'mid/low/two'].map(stand.life)).toEqual([1, 1, 1]);
});

it('a listener on an emitter that outlives its effect fails its own effect, not who emits, and is taken off', async () => {
  const shared = new EventEmitter();
  const stand = createStand([
    {
      id: 'one',
      logic: callbackEffect<{ type: 'none' }, { incarnation: number }>(({ input, listen }) => {
        if (input.incarnation === 1) listen(shared, 'x', thrower);
      }),
    },
    {
      id: 'two',
      logic: callbackEffect(({ onEvent }) => onEvent(() => void shared.emit('x'))),
    },
  ]);
  stand.tell('two', { type: 'emit' });
  await eventually(() => stand.life('one') === 2);
  expect([stand.endings('one'), stand.endings('two'), shared.listenerCount('x')]).toEqual([
    ['error guarded'],
    [],
    0,
  ]);
});

it('a guarded callback belongs to its effect, whoever calls it', () => {
  const owners: (string | undefined)[] = [];
  const shared = new EventEmitter();
  createStand([
    {
      id: 'one',
      logic: callbackEffect(({ listen }) =>
        listen(shared, 'x', () => void owners.push(currentOwner()?.actorId)),
      ),
    },
  ]);
  shared.emit('x');
  expect([owners, currentOwner()]).toEqual([['one#1'], undefined]);
});

it('an adopted emitter that fails after the end of its effect fails nobody', async () => {
  const emitter = new EventEmitter();
  const stand = createStand([{ id: 'one', logic: callbackEffect(({ adopt }) => void adopt(emitter)) }]);
  await stand.stop();
  expect(emitter.emit('error', new Error('late'))).toBe(true);
  expect(stand.errors).toEqual([]);
});

/**
 * A gateway process of AT-09: what a host would write that has a channel of its own, with the process trap, as
 * `coppice run` installs it. The channel misbehaves in every way a third-party adapter does. Its parent hears of every
 * fault and fact, and says when the model may finish its answers.
 */
import { EventEmitter } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { createGateway, defineChannel, defineProvider, loadConfig, type Channel } from '../../src/index.ts';
import { installProcessTrap } from '../../src/host/index.ts';

export type Said =
  | { readonly kind: 'up'; readonly url: string }
  | {
      readonly kind: 'stray';
      readonly message: string;
      readonly source: string;
      readonly owner: string | undefined;
    }
  | { readonly kind: 'spent' }
  | {
      readonly kind: 'leg';
      readonly channel: string;
      readonly leg: string;
      readonly path: string | undefined;
      readonly state: string;
      readonly reason: string | undefined;
    }
  | { readonly kind: 'fault'; readonly type: string; readonly path: string | undefined };

const [stateDir = '', configFile = '', token = ''] = process.argv.slice(2);
/** A parent that has gone hears nothing: to fail at that would be one more stray error to tell it, for ever. */
const say = (said: Said): void => void (process.connected && process.send?.(said, () => {}));

installProcessTrap({
  onFault: ({ error, source, owner }) => say({ kind: 'stray', message: error.message, source, owner }),
  onSpent: () => say({ kind: 'spent' }),
});

/** The far side of the socket. Its own errors are nobody's business here. */
const platform = createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.write('hello');
});
await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve));
const { port } = platform.address() as AddressInfo;

const FAULTS: Readonly<Record<string, (signal: AbortSignal) => void>> = {
  'a synchronous throw': () => {
    throw new Error('a synchronous throw');
  },
  'a rejection nobody awaits': () => void Promise.reject(new Error('a rejection nobody awaits')),
  'a throw in a timer': () =>
    void setTimeout(() => {
      throw new Error('a throw in a timer');
    }, 20),
  'a throw in a socket listener': (signal) => {
    const socket = connect(port, '127.0.0.1');
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
    socket.on('data', () => {
      throw new Error('a throw in a socket listener');
    });
  },
  'an error event without a listener': () => {
    const emitter = new EventEmitter();
    setImmediate(() => emitter.emit('error', new Error('an error event without a listener')));
  },
};

const misbehave = Promise.withResolvers<void>();
const finish = Promise.withResolvers<void>();
let quiet = true;
process.on('message', (word) => {
  if (word === 'finish') return finish.resolve();
  quiet = false;
  misbehave.resolve();
});

/** Every attempt misbehaves in the next way, the first one (which is connected by then) when the parent says so; in the end the leg works. */
const leg = (name: 'inbound' | 'outbound', ...faults: string[]): Channel['legs'][number] => ({
  name,
  start({ signal }) {
    const fault = faults.shift();
    const now = (): void => (fault === undefined ? undefined : FAULTS[fault]!(signal));
    if (quiet) void misbehave.promise.then(now);
    else now();
    return Promise.resolve();
  },
});
const faulty = defineChannel({
  name: 'faulty',
  legs: [
    leg('inbound', 'a throw in a timer', 'a synchronous throw', 'a rejection nobody awaits'),
    leg('outbound', 'a throw in a socket listener', 'an error event without a listener'),
  ],
  idempotentDelivery: true,
  deliver: () => Promise.resolve({ kind: 'sent' }),
});

/** Answers in pieces, and ends its answers when the parent says so. */
const patient = defineProvider({
  name: 'patient',
  api: 'custom',
  models: () => [{ id: 'one', provider: 'patient' }],
  async *stream() {
    yield { type: 'text', delta: 'patience' };
    await finish.promise;
    yield { type: 'text', delta: ' rewarded' };
    yield { type: 'finish', reason: 'stop' };
  },
});

const { config } = loadConfig({ path: configFile, env: {}, flags: { stateDir, port: 0, token } });
const gateway = createGateway(config, {
  stateDir,
  log: false,
  channels: [faulty],
  providers: [patient],
});
await gateway.start();
gateway.on((fact) => {
  if (fact.type === 'channel.state') {
    const { channel, leg, state, reason } = fact.data;
    say({ kind: 'leg', channel, leg, state, reason, path: fact.path });
  } else if (fact.type === 'actor.fault' || fact.type === 'supervisor.child_terminated') {
    say({ kind: 'fault', type: fact.type, path: fact.path });
  }
});
say({ kind: 'up', url: `http://127.0.0.1:${gateway.port}` });

process.once('disconnect', () => void gateway.stop('the test is over', { fast: true }));
await gateway.ended;
platform.close();

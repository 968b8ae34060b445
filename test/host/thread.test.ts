import { describe, expect, it } from 'vitest';
import { threadChild, type ThreadEvent, type ThreadOptions } from '../../src/host/index.ts';
import type { ChildSpec } from '../../src/supervisor/index.ts';
import { createStand, eventually } from './stand.ts';

const PORT = "import { parentPort, workerData, threadId } from 'node:worker_threads';\n";
/** Echoes; throws at `crash`, never comes back from `loop`, ends when it is told to. */
const OBEDIENT = `${PORT}
parentPort.on('message', (message) => {
  if (message === 'crash') throw new TypeError('no more');
  if (message === 'loop') { parentPort.postMessage('looping'); while (true); }
  if (message === 'leave') process.exit(3);
  if (message?.type === 'supervisor.shutdown') { console.log('told', message.reason); parentPort.close(); }
  else parentPort.postMessage(message);
});
parentPort.postMessage('ready');`;

const inline = (code: string): URL => new URL(`data:text/javascript,${encodeURIComponent(code)}`);

/** A child that is a thread, with everything it said, life by life. */
function thread(
  id: string,
  code: string,
  more: Partial<ChildSpec> & { thread?: Partial<ThreadOptions> } = {},
) {
  const said: ThreadEvent[] = [];
  const { thread: options, ...rest } = more;
  const spec = threadChild({
    id,
    thread: { entry: inline(code), name: id, ...options },
    onEvent: (event) => void said.push(event),
    ...(rest as object),
  });
  return {
    spec,
    said,
    posted: () => said.flatMap((event) => (event.type === 'thread.posted' ? [event.message] : [])),
    ready: () => said.filter((event) => event.type === 'thread.posted' && event.message === 'ready').length,
    lines: () => said.flatMap((event) => (event.type === 'thread.printed' ? [event.line] : [])),
    refusals: () => said.flatMap((event) => (event.type === 'thread.refused' ? [event.error] : [])),
  };
}
const post = (message: unknown): { type: string } => ({ type: 'thread.post', message }) as { type: string };

describe('a thread as a child', () => {
  it('gets what is posted, says what it posts, and ends in time when it is told to', async () => {
    const one = thread('one', OBEDIENT);
    const stand = createStand([one.spec]);
    stand.tell('one', post({ n: 1 }));
    await eventually(() => one.posted().length === 2);
    await stand.stop();
    expect([one.posted(), one.lines(), stand.bodies('one', 'shutdown_error')]).toEqual([
      ['ready', { n: 1 }],
      ['told the test ends'],
      [],
    ]);
  });

  it('that throws is one typed fault, and lives again; its sibling and this process never notice', async () => {
    const own = process.pid;
    const one = thread('one', OBEDIENT);
    const two = thread('two', OBEDIENT);
    const stand = createStand([one.spec, two.spec]);
    await eventually(() => one.ready() === 1 && two.ready() === 1);
    stand.tell('one', post('crash'));
    await eventually(() => one.ready() === 2);
    const [body] = stand.bodies('one', 'child_terminated') as { error: { message: string; cause: object } }[];
    expect(stand.endings('one')).toEqual(['error WORKER_THREAD_FAILED']);
    expect(body!.error.message).toBe('the thread one failed: no more');
    expect(body!.error.cause).toMatchObject({ name: 'TypeError' });
    expect([stand.life('one'), stand.life('two'), process.pid]).toEqual([2, 1, own]);
  });

  it('ten crashes leave exactly one thread', async () => {
    const turns = new Int32Array(new SharedArrayBuffer(4 * 12));
    const code = `${PORT}
const turns = new Int32Array(workerData);
const mine = Atomics.add(turns, 0, 1) + 1;
setInterval(() => Atomics.add(turns, mine, 1), 1);
parentPort.on('message', () => { throw new Error('no more'); });
parentPort.postMessage('ready');`;
    const one = thread('one', code, { shutdown: 100, thread: { workerData: turns.buffer } });
    const stand = createStand([one.spec]);
    for (let life = 1; life <= 10; life += 1) {
      await eventually(() => one.ready() === life);
      stand.tell('one', post('crash'));
    }
    await eventually(() => one.ready() === 11);
    const before = [...turns];
    await eventually(() => Atomics.load(turns, 11) > before[11]! + 5);
    expect([...turns].slice(1, 11)).toEqual(before.slice(1, 11));
    expect([turns[0], stand.life('one')]).toEqual([11, 11]);
  });

  it('that fills its heap ends alone', async () => {
    const code = `${PORT}
const hoard = [];
parentPort.on('message', () => { for (;;) hoard.push(new Array(10_000).fill(hoard.length)); });
parentPort.postMessage('ready');`;
    const one = thread('one', code, {
      shutdown: 100,
      thread: { resourceLimits: { maxOldGenerationSizeMb: 8 } },
    });
    const two = thread('two', OBEDIENT);
    const stand = createStand([one.spec, two.spec]);
    await eventually(() => one.ready() === 1);
    stand.tell('one', post('fill'));
    await eventually(() => one.ready() === 2);
    const [body] = stand.bodies('one', 'child_terminated') as { error: { cause: object } }[];
    expect(body!.error.cause).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
    expect(stand.life('two')).toBe(1);
  });
});

describe('a thread that never comes back from a loop', () => {
  it('is terminated at its own deadline when it is told to end, if its supervisor has none', async () => {
    const one = thread('one', OBEDIENT, { shutdown: 'infinity', thread: { graceMs: 50 } });
    const stand = createStand([one.spec]);
    await eventually(() => one.ready() === 1);
    stand.tell('one', post('loop'));
    await eventually(() => one.posted().includes('looping'));
    await stand.stop();
    expect(stand.bodies('one', 'shutdown_error')).toEqual([{ type: 'shutdown_error', reason: 'timeout' }]);
    expect(stand.bodies('one', 'disposer_failed')).toEqual([]);
  });

  it('holds nobody up, is killed by an operator, and its next life answers', async () => {
    const one = thread('one', OBEDIENT);
    const two = thread('two', OBEDIENT);
    const stand = createStand([one.spec, two.spec]);
    await eventually(() => one.ready() === 1 && two.ready() === 1);
    stand.tell('one', post('loop'));
    await eventually(() => one.posted().includes('looping'));
    stand.tell('two', post('still here'));
    await eventually(() => two.posted().includes('still here'));
    stand.supervision.kill('app/one', { by: 'test' });
    await eventually(() => one.ready() === 2);
    stand.tell('one', post('back'));
    await eventually(() => one.posted().includes('back'));
    expect([stand.endings('one'), stand.bodies('one', 'disposer_failed')]).toEqual([['killed KILLED'], []]);
  });
});

describe('what goes wrong beside a thread', () => {
  const parked = async (child: { spec: ChildSpec }): Promise<string> => {
    const stand = createStand([child.spec], { intensity: 0, onExhausted: 'park' });
    await eventually(() => stand.bodies('one', 'parked').length === 1);
    const [body] = stand.bodies('one', 'child_terminated') as { error: { code: string; message: string } }[];
    return `${body!.error.code} ${body!.error.message}`;
  };

  it('an exit code is a typed fault', async () => {
    expect(await parked(thread('one', 'process.exit(3)'))).toBe(
      'WORKER_THREAD_FAILED the thread one failed: it ended with exit code 3',
    );
  });

  it('a file that does not exist is a typed fault', async () => {
    const entry = new URL('./fixtures/no-such-thread.ts', import.meta.url);
    expect(await parked(thread('one', '', { thread: { entry } }))).toContain('WORKER_THREAD_FAILED');
  });

  it('one that is not on line in time is terminated and a typed fault', async () => {
    expect(await parked(thread('one', OBEDIENT, { thread: { startMs: 0 } }))).toBe(
      'WORKER_THREAD_FAILED the thread one failed: it was not on line after 0 ms',
    );
  });

  it('an entry that no thread can have fails the start at once', () => {
    const one = thread('one', '', { thread: { entry: 'not-absolute.js' } });
    const { errors } = createStand([one.spec]);
    expect(errors).toMatchObject([{ code: 'START_FAILED', cause: { code: 'WORKER_THREAD_FAILED' } }]);
  });

  it('one that has nothing left to do ends normally, and transient means it stays down', async () => {
    const one = thread('one', "console.error('done')", { restart: 'transient' });
    const stand = createStand([one.spec]);
    await eventually(() => stand.life('one') === 0);
    expect([one.lines(), stand.endings('one')]).toEqual([['done'], []]);
  });

  it('messages it does not answer are refused at the bound, and what cannot be posted at once', async () => {
    const one = thread('one', OBEDIENT, { shutdown: 100, thread: { maxUnanswered: 5 } });
    const stand = createStand([one.spec]);
    await eventually(() => one.ready() === 1);
    stand.tell(
      'one',
      post(() => {}),
    );
    expect(one.refusals()[0]).toMatchObject({ code: 'CHILD_INPUT_REFUSED' });
    stand.tell('one', post('loop'));
    await eventually(() => one.posted().includes('looping'));
    for (let i = 0; i < 8; i += 1) stand.tell('one', post(i));
    expect(
      one
        .refusals()
        .map(({ message }) => message)
        .slice(1),
    ).toEqual(
      Array.from({ length: 3 }, () => 'one did not get a message: it has said nothing for 5 messages'),
    );
    expect(stand.endings('one')).toEqual([]);
  });
});

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { largePng, PNG, sent } from '../store/files.ts';
import { type Gateway, startGateway } from './harness.ts';
import { historyOf, newKey, settled, textOf } from './talk.ts';
import { eventually, type Wire } from './wire.ts';

const dot = sent(PNG, { type: 'image', mimeType: 'image/png', fileName: '../dot.png' });
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const pathOf = (stateDir: string, bytes: Buffer): string => {
  const sha256 = digestOf(bytes);
  return join(stateDir, 'attachments', sha256.slice(0, 2), sha256);
};
const reference = {
  type: 'file',
  sha256: digestOf(PNG),
  mediaType: 'image/png',
  bytes: PNG.length,
  fileName: 'dot.png',
};

describe('a message with files', () => {
  let gateway: Gateway;
  let wire: Wire;
  beforeAll(async () => {
    gateway = await startGateway();
    wire = await gateway.wire();
  });
  afterAll(() => gateway.cleanUp());

  const show = async (sessionKey: string, message: string, attachments: object[], runId = newKey('file')) => {
    const params = { sessionKey, message, idempotencyKey: runId, attachments };
    const { status } = await wire.ask('chat.send', params);
    return { runId, status };
  };

  test('reaches the model, and stands in the history by reference', async () => {
    const { runId } = await show('look', 'what is it?', [dot]);
    expect(await settled(wire, runId)).toBe('ok');
    const [asked, answered] = await historyOf(wire, 'look');
    expect(asked?.content).toEqual([{ type: 'text', text: 'what is it?' }, reference]);
    expect(textOf(answered)).toContain(`dot.png (image/png, ${PNG.length} bytes)`);
    expect(existsSync(pathOf(gateway.stateDir, PNG))).toBe(true);
  });

  test('may say nothing else, by `agent` too', async () => {
    const id = wire.send('agent', {
      sessionKey: 'silent',
      message: '',
      idempotencyKey: newKey('file'),
      attachments: [dot],
    });
    const [, last] = await wire.answers(id, 2);
    expect(last?.payload).toMatchObject({ status: 'ok' });
    const [asked] = await historyOf(wire, 'silent');
    expect(asked?.content).toEqual([reference]);
  });

  test('is refused whole for one bad file, and may be sent again without it', async () => {
    const runId = newKey('bad');
    const params = { sessionKey: 'bad', message: 'see', idempotencyKey: runId };
    const bad = sent('no picture', { mimeType: 'image/png', fileName: 'b.png' });
    const { error } = await wire.request('chat.send', { ...params, attachments: [dot, bad] });
    expect(error).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(error?.message).toMatch(/^file 2 \("b\.png"\).*text\/plain/);
    expect(await historyOf(wire, 'bad')).toEqual([]);
    expect(await show('bad', 'see', [dot], runId)).toEqual({ runId, status: 'started' });
  });

  test('is kept, files and all, when the process is killed with -9 after it was accepted', async () => {
    const own = largePng(300_000);
    const pid = gateway.gatewayPid();
    const runId = newKey('kill');
    const attachments = [sent(own, { mimeType: 'image/png', fileName: 'own.png' })];
    expect(await show('kill', 'remember', attachments, runId)).toEqual({ runId, status: 'started' });
    process.kill(pid, 'SIGKILL');
    await wire.closed;
    await gateway.ready(pid);
    wire = await gateway.wire();
    expect(await settled(wire, runId)).toBe('ok');
    expect(textOf((await historyOf(wire, 'kill')).at(-1))).toContain('own.png (image/png, 300000 bytes)');
    expect(await show('kill', 'remember', attachments, runId)).toEqual({ runId, status: 'ok' });
  });

  test('takes its files along when its session is deleted, but for those that others still show', async () => {
    const own = largePng(1_000);
    const { runId } = await show('gone', 'both', [dot, sent(own)]);
    await settled(wire, runId);
    expect(existsSync(pathOf(gateway.stateDir, own))).toBe(true);
    expect(await wire.ask('sessions.delete', { key: 'gone' })).toMatchObject({ deleted: true });
    expect(existsSync(pathOf(gateway.stateDir, own))).toBe(false);
    expect(existsSync(pathOf(gateway.stateDir, PNG))).toBe(true);
  });

  test('leaves nothing that is loose after a restart', async () => {
    const left = Buffer.from('left by a crash');
    const loose = pathOf(gateway.stateDir, left);
    mkdirSync(dirname(loose), { recursive: true });
    writeFileSync(loose, left);
    const pid = gateway.gatewayPid();
    process.kill(pid, 'SIGKILL');
    await gateway.ready(pid);
    wire = await gateway.wire();
    await eventually('it to be removed', () => (existsSync(loose) ? undefined : true));
    expect(existsSync(pathOf(gateway.stateDir, PNG))).toBe(true);
  });

  test('is larger than a frame: the connection is closed with 1009, and others go on', async () => {
    const other = await gateway.wire();
    other.send('chat.send', { message: '', idempotencyKey: 'k', attachments: [sent(largePng(1_000_000))] });
    expect((await other.closed).code).toBe(1009);
    expect((await wire.ask('status')).ready).toBe(true);
  });
});

describe('with larger frames', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ config: { gateway: { limits: { frameBytes: 16_000_000 } } } });
  });
  afterAll(() => gateway.cleanUp());

  test('a file of 5 MiB is taken, and one of a byte more is refused with the limit', async () => {
    const wire = await gateway.wire();
    const send = (bytes: number) =>
      wire.request('chat.send', {
        message: '',
        idempotencyKey: newKey('large'),
        attachments: [sent(largePng(bytes), { mimeType: 'image/png' })],
      });
    const taken = await send(5 * 1_048_576);
    expect(taken.payload).toMatchObject({ status: 'started' });
    expect(await settled(wire, taken.payload.runId)).toBe('ok');
    expect((await send(5 * 1_048_576 + 1)).error?.message).toContain('the limit is 5242880');
  });
});

test('a full disk refuses a message with a file by its code, takes nothing, and takes it when there is room', async ({
  skip,
}) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'coppice-e2e-full-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=700', 'tmpfs', stateDir]);
  if (mounted.status !== 0) {
    rmSync(stateDir, { recursive: true });
    return skip('needs the right to mount');
  }
  const gateway = await startGateway({ stateDir });
  try {
    const wire = await gateway.wire();
    const ballast = join(stateDir, 'ballast');
    fillUp(ballast, 400_000);
    const params = {
      sessionKey: 'full',
      message: 'see',
      idempotencyKey: 'once',
      attachments: [sent(largePng(600_000), { mimeType: 'image/png' })],
    };
    const { ok, error } = await wire.request('chat.send', params);
    expect(ok).toBe(false);
    expect(error).toMatchObject({ details: { coppiceCode: 'COPPICE_STORE_FULL' }, retryable: true });
    expect(await historyOf(wire, 'full')).toEqual([]);
    expect(readdirSync(join(stateDir, 'attachments')).filter((name) => name.startsWith('tmp-'))).toEqual([]);
    rmSync(ballast);
    expect(await wire.ask('chat.send', params)).toEqual({ runId: 'once', status: 'started' });
    expect(await settled(wire, 'once')).toBe('ok');
  } finally {
    await gateway.cleanUp();
    spawnSync('umount', ['-l', stateDir]);
    rmSync(stateDir, { recursive: true, force: true });
  }
});

/** Until less than that is left. */
function fillUp(path: string, leave: number): void {
  try {
    for (;;) writeFileSync(path, Buffer.alloc(65_536), { flag: 'a' });
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOSPC') throw error;
  }
  spawnSync('truncate', ['-s', `-${leave}`, path]);
}

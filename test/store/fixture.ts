import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { openStore } from '../../src/store/index.ts';
import type { InboxRow, OpenStore, OutboxRow, StoreOptions, TranscriptRow } from '../../src/store/index.ts';

export const AT = 1_700_000_000_000;

/** A directory of this test alone, removed when it ends. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'coppice-store-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export async function tempStore(options: Partial<StoreOptions> = {}): Promise<OpenStore> {
  const store = await openStore({ dir: tempDir(), owner: 'test', ...options });
  onTestFinished(() => store.close());
  return store;
}

export function inboxRow(id: string, change: Partial<InboxRow> = {}): InboxRow {
  return {
    messageId: `console/default/${id}`,
    runId: `run-${id}`,
    sessionKey: 'agent:main:main',
    agentId: 'main',
    channel: 'console',
    account: 'default',
    platformId: id,
    source: 'user',
    text: `message ${id}`,
    options: {},
    trace: { traceId: '0123456789abcdef0123456789abcdef', spanId: '0123456789abcdef' },
    receivedAt: AT,
    ...change,
  };
}

export function transcriptRow(ordinal: number, change: Partial<TranscriptRow> = {}): TranscriptRow {
  return {
    sessionKey: 'agent:main:main',
    sessionId: 'life-1',
    runId: 'run-1',
    ordinal,
    role: ordinal === 0 ? 'user' : 'assistant',
    content: [{ type: 'text', text: `part ${ordinal}` }],
    at: AT + ordinal,
    ...change,
  };
}

export function outboxRow(deliveryId: string, change: Partial<OutboxRow> = {}): OutboxRow {
  return {
    deliveryId,
    channel: 'webhook',
    account: 'default',
    target: 'room-1',
    runId: 'run-1',
    payload: { text: 'hello' },
    status: 'prepared',
    attempts: 0,
    nextAt: AT,
    createdAt: AT,
    expiresAt: AT + 60_000,
    ...change,
  };
}

/** The code of what a promise rejects with, or 'resolved'. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly lines: readonly string[];
  /** Waits until it has said that much. Rejects with what it wrote to stderr when it ends before. */
  said(count: number): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** A real process that runs one of the scripts beside this file. Killed when the test ends. */
export function startChild(script: string, ...args: string[]): Child {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  const closed = once(child, 'close');
  const lines: string[] = [];
  let stderr = '';
  const checks = new Set<() => void>();
  const tell = (): void => checks.forEach((check) => check());
  // Whole lines alone: who is killed in the middle of one has not said it.
  let begun = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const said = (begun + chunk).split('\n');
    begun = said.pop()!;
    lines.push(...said);
    tell();
  });
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  child.on('close', tell);
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    process: child,
    pid: child.pid!,
    lines,
    said: (count) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (lines.length >= count) resolve();
          else if (child.exitCode !== null || child.signalCode !== null)
            reject(new Error(`it ended early: ${stderr}`));
          else return void checks.add(check);
          checks.delete(check);
        };
        check();
      }),
    async kill(signal) {
      child.kill(signal);
      await exited;
      await closed;
    },
  };
}

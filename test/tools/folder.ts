import { mkdtemp, mkdir, realpath, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { ToolContext } from '../../src/tools/index.ts';

/** A workspace beside an outside folder, both real and both removed by `remove`. */
export interface Folders {
  readonly workspace: string;
  readonly outside: string;
  context(signal?: AbortSignal): ToolContext;
  remove(): Promise<void>;
}

export async function createFolders(): Promise<Folders> {
  const base = await realpath(await mkdtemp(path.join(os.tmpdir(), 'coppice-tools-')));
  const workspace = path.join(base, 'workspace');
  const outside = path.join(base, 'outside');
  await mkdir(workspace);
  await mkdir(outside);
  return {
    workspace,
    outside,
    context: (signal = new AbortController().signal) => ({
      agentId: 'main',
      sessionKey: 'agent:main:main',
      runId: 'r1',
      toolCallId: 'c1',
      workspace,
      signal,
    }),
    remove: () => rm(base, { recursive: true, force: true }),
  };
}

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { tempDir } from './fixture.ts';

/** A file system of its own of that size, where we may mount one. */
export function smallDisk(kilobytes: number): string | undefined {
  const dir = join(tempDir(), 'disk');
  mkdirSync(dir);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k,mode=700`, 'tmpfs', dir]).status !== 0)
    return undefined;
  onTestFinished(() => void spawnSync('umount', ['-l', dir]));
  return dir;
}

/** Until nothing more goes in. */
export function fill(path: string): void {
  try {
    for (;;) writeFileSync(path, Buffer.alloc(4_096), { flag: 'a' });
  } catch (error) {
    expect((error as { code?: string }).code).toBe('ENOSPC');
  }
}

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * Who listens on a TCP port of this machine, in words: `process 4711 (node coppice.js)`. On Linux it is read from
 * /proc, as far as this user may see it; elsewhere, or when it cannot be told, `another process`.
 */
export function describePortOwner(port: number): string {
  const unknown = 'another process';
  if (process.platform !== 'linux') return unknown;
  const inodes = listeningInodes(port);
  const pid = inodes.size > 0 ? processIds().find((id) => holdsSocket(id, inodes)) : undefined;
  return pid === undefined ? unknown : `process ${pid} (${programOf(pid)})`;
}

const LISTEN_STATE = '0A';

function listeningInodes(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    read(() => readFileSync(file, 'utf8'), '').split('\n'),
  );
  const fields = rows.map((row) => row.trim().split(/\s+/));
  return new Set(
    fields
      .filter((field) => field[1]?.endsWith(suffix) && field[3] === LISTEN_STATE)
      .map((field) => field[9]!),
  );
}

function processIds(): number[] {
  return read(() => readdirSync('/proc'), [])
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid);
}

function holdsSocket(pid: number, inodes: ReadonlySet<string>): boolean {
  const dir = `/proc/${pid}/fd`;
  return read(() => readdirSync(dir), []).some((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(read(() => readlinkSync(`${dir}/${fd}`), ''))?.[1];
    return inode !== undefined && inodes.has(inode);
  });
}

/** Program and script, without arguments: those may hold secrets. */
function programOf(pid: number): string {
  const words = read(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '').split('\0');
  const script = words.slice(1).find((word) => word !== '' && !word.startsWith('-'));
  const names = [words[0], words[0]?.match(/node$/) ? script : undefined].filter(
    (word) => word !== undefined && word !== '',
  );
  return names.map((word) => basename(word!)).join(' ') || 'unknown';
}

/** A process may end, or belong to somebody else, while we look: then it says nothing. */
function read<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

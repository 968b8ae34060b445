import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { CoppiceError, normalizeError } from '../errors.ts';

/**
 * Where a gateway keeps what it must not lose: the flag, else COPPICE_STATE_DIR, else XDG, else the home directory.
 * `config` says the same; it is said again here because loading it takes longer than most commands (a test compares).
 */
export function stateDirectory(flag: string | undefined, env: Readonly<NodeJS.ProcessEnv>): string {
  const named = flag || env['COPPICE_STATE_DIR'];
  if (named) return resolve(named);
  return join(env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local', 'state'), 'coppice');
}

export const tokenFile = (dir: string): string => join(dir, 'token');

/** The token of the gateway that owns `dir`, or undefined when there is none yet. Throws NOT_PERMITTED when it may not be read. */
export function readToken(dir: string): string | undefined {
  try {
    return readFileSync(tokenFile(dir), 'utf8').trim() || undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CoppiceError(
      'NOT_PERMITTED',
      { what: `reading ${tokenFile(dir)}`, reason: normalizeError(error).message },
      { cause: error },
    );
  }
}

/**
 * The token in the file, made on the first run: 256 random bits. Whoever calls it holds the lock of the directory.
 * Written beside and moved, so that a kill leaves no empty token behind. One that others could read is closed to
 * them again, and `say` is told. Throws STATE_DIR_UNUSABLE.
 */
export function ensureToken(dir: string, say: (line: string) => void = () => {}): string {
  const existing = readToken(dir);
  if (existing) {
    closeToOthers(dir, say);
    return existing;
  }
  const token = randomBytes(32).toString('base64url');
  const draft = `${tokenFile(dir)}.new`;
  try {
    writeFileSync(draft, `${token}\n`, { mode: 0o600, flush: true });
    chmodSync(draft, 0o600);
    renameSync(draft, tokenFile(dir));
  } catch (error) {
    throw unusable(dir, error);
  }
  return token;
}

/** Windows has no such modes: its files inherit the rights of their folder. */
function closeToOthers(dir: string, say: (line: string) => void): void {
  if (process.platform === 'win32') return;
  const file = tokenFile(dir);
  try {
    const mode = statSync(file).mode & 0o777;
    if ((mode & 0o077) === 0) return;
    chmodSync(file, 0o600);
    say(
      `others could read the token in ${file} (mode ${mode.toString(8)}); now its owner alone can. If somebody may have read it, delete the file and restart: a new token is made.`,
    );
  } catch (error) {
    throw unusable(dir, error);
  }
}

const unusable = (dir: string, error: unknown): CoppiceError =>
  new CoppiceError('STATE_DIR_UNUSABLE', { dir, reason: normalizeError(error).message }, { cause: error });

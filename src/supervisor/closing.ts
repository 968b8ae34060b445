/** What is waited for before another life begins: scopes that close slowly, those of a dead supervisor's children too. */
import type { AnyActorRef } from 'xstate';
import type { Shutdown } from './child-spec.ts';
import type { Clock } from './clock.ts';
import { isGone, reap } from './contain.ts';
import type { OwnedScope } from './scope.ts';
import { childPath, type Shell, type SupervisorEnv } from './shell.ts';

/**
 * Reaps a life whose actor is gone, or was told to be, and closes its scope. Undefined when nothing of it, and of what
 * it supervised, is left; else resolves when that is so, at the latest after `limit` for each scope by itself.
 */
export function closeLife(
  env: SupervisorEnv,
  ref: AnyActorRef | undefined,
  scope: OwnedScope,
  limit: Shutdown,
  reason: unknown,
): Promise<unknown> | undefined {
  if (!ref || isGone(ref)) return letGo(env, ref, scope, limit, reason);
  // Stopped from inside its own turn, it goes when that is over.
  const turnOver = new Promise<void>((resolve) => env.clock.defer(resolve));
  return turnOver.then(() => letGo(env, ref, scope, limit, reason));
}

function letGo(
  env: SupervisorEnv,
  ref: AnyActorRef | undefined,
  scope: OwnedScope,
  limit: Shutdown,
  reason: unknown,
): Promise<unknown> | undefined {
  if (ref) reap(ref);
  const own = scope.close(reason);
  const below = ref && env.shells.get(ref)?.closing;
  const pending: Promise<unknown>[] = own ? [within(env.clock, own, limit)] : [];
  if (below) pending.push(...below.values());
  return pending.length === 0 ? undefined : Promise.all(pending);
}

/** What closes without anybody's waiting for it: a failed start, a child of a supervisor that is stopped by force. */
export function leaveClosing(env: SupervisorEnv, shell: Shell, id: string, closing: Promise<unknown>): void {
  const before = shell.closing.get(id);
  const all = before ? Promise.all([before, closing]) : closing;
  shell.closing.set(id, all);
  const path = childPath(shell, id);
  env.closing.set(path, all);
  const closed = (): void => {
    if (env.closing.get(path) === all) env.closing.delete(path);
    if (shell.closing.get(id) !== all) return;
    shell.closing.delete(id);
    if (shell.state.phase !== 'ended') shell.self.send({ type: 'supervisor.unlocked', id });
  };
  void all.then(closed);
}

/** What never closes is not waited for. */
function within(clock: Clock, closing: Promise<void>, limit: Shutdown): Promise<void> {
  if (limit === 'infinity') return closing;
  return new Promise((resolve) => {
    const timer = clock.setTimeout(resolve, limit === 'brutal' ? 0 : limit);
    const closed = (): void => {
      clock.clearTimeout(timer);
      resolve();
    };
    void closing.then(closed);
  });
}

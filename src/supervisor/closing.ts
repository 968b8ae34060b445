/** What is waited for before another life begins: scopes that close slowly, those of a dead supervisor's children too. */
import type { AnyActorRef } from 'xstate';
import type { Shutdown } from './child-spec.ts';
import type { Clock } from './clock.ts';
import type { OwnedScope } from './scope.ts';
import type { Shell, SupervisorEnv } from './shell.ts';

/**
 * Closes the scope of a life whose actor is gone. Undefined when nothing of it, and of what it supervised, is left;
 * else resolves when that is so, at the latest after `limit` for each scope by itself.
 */
export function closeLife(
  env: SupervisorEnv,
  ref: AnyActorRef | undefined,
  scope: OwnedScope,
  limit: Shutdown,
  reason: unknown,
): Promise<unknown> | undefined {
  const own = scope.close(reason);
  const below = ref && env.shells.get(ref)?.closing;
  const pending: Promise<unknown>[] = own ? [within(env.clock, own, limit)] : [];
  if (below) pending.push(...below.values());
  return pending.length === 0 ? undefined : Promise.all(pending);
}

/** What closes without anybody's waiting for it: a failed start, a child of a supervisor that is stopped by force. */
export function leaveClosing(shell: Shell, id: string, closing: Promise<unknown> | undefined): void {
  if (!closing) return;
  const before = shell.closing.get(id);
  const all = before ? Promise.all([before, closing]) : closing;
  shell.closing.set(id, all);
  const closed = (): void => {
    if (shell.closing.get(id) === all) shell.closing.delete(id);
  };
  void all.then(closed);
}

/** What a start of `id` has to wait for; others start with it where children depend on each other. */
export function closingOf({ closing, state }: Shell, id: string): Promise<unknown> | undefined {
  if (closing.size === 0) return undefined;
  return state.policy.strategy === 'one_for_one' ? closing.get(id) : Promise.all(closing.values());
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

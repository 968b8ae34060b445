/** The webhook channels as the server reaches them: by name, with the facts of each request. */
import type { Deps } from '../actors/deps.ts';
import { PATHS } from '../actors/paths.ts';
import type { Webhook } from '../channels/index.ts';
import { CoppiceError, normalizeError } from '../errors.ts';
import type { GatewayPort } from '../server/port.ts';

type HookDeps = Pick<Deps, 'clock' | 'registry' | 'report' | 'channels'> & {
  readonly webhooks: readonly Webhook[];
};

export function createHookPort(deps: HookDeps): Pick<GatewayPort, 'hook'> {
  const { clock, registry, report, channels } = deps;
  // A channel that the host put in the place of a configured one takes its requests along.
  const byName = new Map(
    deps.webhooks.filter((one) => channels.get(one.name) === one.channel).map((one) => [one.name, one]),
  );
  return {
    async hook(name, request) {
      const webhook = byName.get(name);
      if (!webhook) throw new CoppiceError('HOOK_NOT_FOUND', { name: name.slice(0, 64) });
      const path = `${PATHS.channels}/${name}/inbound`;
      const source = { path, incarnation: registry.incarnation(path) ?? 0 };
      const startedAt = clock.now();
      report({ type: 'webhook.received', channel: name }, source);
      try {
        const answer = await webhook.handle(request);
        const durationMs = Math.max(0, Math.round(clock.now() - startedAt));
        const what = { channel: name, updateType: 'message', chatId: answer.target, durationMs };
        report({ type: 'webhook.processed', ...what }, source);
        return answer;
      } catch (error) {
        report({ type: 'webhook.error', channel: name, error: normalizeError(error).message }, source);
        throw error;
      }
    },
  };
}

import type { TreeNode } from '../supervisor/registry.ts';

/** What the gateway knows about itself, handed in: this room only judges. */
export interface Evidence {
  readonly tree: TreeNode;
  readonly gate: string;
  readonly storeOpen: boolean;
  /** Providers of the default agent's candidates, with their state. */
  readonly providers: readonly { readonly name: string; readonly state: string }[];
  readonly stopping: boolean;
}

export interface Grade {
  readonly grade: 'ok' | 'degraded' | 'failing';
  readonly reasons: readonly string[];
}

const CHAT_WAY_IN = ['edge', 'edge/channels', 'edge/channels/webchat', 'edge/channels/webchat/inbound'].map(
  (path) => `gateway/core/${path}`,
);

/** Can the gateway accept *and* complete a turn? Empty means yes. Sentences for people; the first words are stable. */
export function whyNotReady(evidence: Evidence): string[] {
  const reasons: string[] = [];
  if (evidence.stopping) reasons.push('stopping: the gateway is draining');
  if (!evidence.storeOpen) reasons.push('store: its writer is not open');
  if (evidence.gate !== 'open') reasons.push(`gate: ${evidence.gate || 'not running'}`);
  for (const name of ['sessions', 'lanes', 'ingress']) {
    const node = find(evidence.tree, `gateway/core/work/${name}`);
    if (node?.status !== 'running') reasons.push(`${name}: ${node?.status ?? 'not running'}`);
  }
  // Every turn that a person asks for needs a ticket of it; the other lanes hold up only what was scheduled.
  const main = find(evidence.tree, 'gateway/core/work/lanes/main');
  if (main && main.status !== 'running') reasons.push(`lane main: ${main.status}`);
  const chat = CHAT_WAY_IN.map((path) => find(evidence.tree, path)).find(
    (node) => node && node.status !== 'running',
  );
  if (chat)
    reasons.push(`chat: ${chat.path} is ${chat.status}, and with it the way in for WebSocket clients`);
  if (evidence.providers.length > 0 && evidence.providers.every((p) => p.state === 'cooling')) {
    reasons.push(
      `models: every provider is cooling down (${evidence.providers.map((p) => p.name).join(', ')})`,
    );
  }
  return reasons;
}

/** failing: no turn can complete. degraded: it can, but something is parked, waits for a restart, or cools down. */
export function grade(evidence: Evidence): Grade {
  const failing = whyNotReady(evidence);
  if (failing.length > 0) return { grade: 'failing', reasons: failing };
  const reasons = [...flatten(evidence.tree)].flatMap((node) => {
    if (node.status === 'parked') return [`parked: ${node.path} is held down`];
    if (node.status === 'backing-off') return [`restarting: ${node.path} waits for its next start`];
    return [];
  });
  for (const provider of evidence.providers)
    if (provider.state === 'cooling') reasons.push(`cooling: provider ${provider.name}`);
  return { grade: reasons.length > 0 ? 'degraded' : 'ok', reasons };
}

export function* flatten(node: TreeNode): Iterable<TreeNode> {
  yield node;
  for (const child of node.children) yield* flatten(child);
}

export function find(node: TreeNode, path: string): TreeNode | undefined {
  for (const candidate of flatten(node)) if (candidate.path === path) return candidate;
  return undefined;
}

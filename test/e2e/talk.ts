import type { TreeNode } from '../../src/index.ts';
import { eventually, type Wire } from './wire.ts';

let keys = 0;

/** A fresh idempotency key, which is the id of the run. */
export const newKey = (word = 'k'): string => `${word}-${process.pid}-${(keys += 1)}`;

/** Resolves with the run id when the message is committed: the answer was `started`. */
export async function say(
  wire: Wire,
  sessionKey: string,
  message: string,
  runId = newKey(),
): Promise<string> {
  const answer = await wire.ask('chat.send', { sessionKey, message, idempotencyKey: runId });
  if (answer.status !== 'started' || answer.runId !== runId)
    throw new Error(`chat.send answered ${JSON.stringify(answer)} instead of started`);
  return runId;
}

/** The same by somebody who does what a refusal tells him: asks again, with the same key, as long as it may be cured. */
export async function insist(
  wire: Wire,
  sessionKey: string,
  message: string,
  runId = newKey(),
): Promise<string> {
  return eventually(`${sessionKey} to be heard`, async () => {
    const { ok, error } = await wire.request('chat.send', { sessionKey, message, idempotencyKey: runId });
    if (ok) return runId;
    if (error?.retryable !== true) throw new Error(`chat.send was refused: ${error?.message}`);
    return undefined;
  });
}

/** Resolves when the run has ended, with its status. */
export async function settled(wire: Wire, runId: string): Promise<string> {
  return eventually(`the end of ${runId}`, async () => {
    const { status } = await wire.ask('agent.wait', { runId, timeoutMs: 2_000 });
    return status === 'timeout' ? undefined : (status as string);
  });
}

export interface Message {
  readonly role: string;
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly runId: string;
  readonly pending?: boolean;
}

export async function historyOf(wire: Wire, sessionKey: string): Promise<Message[]> {
  return (await wire.ask('chat.history', { sessionKey })).messages as Message[];
}

export const textOf = (message: Message | undefined): string =>
  (message?.content ?? []).map((part) => part.text ?? '').join('');

/** What is wrong with the exchange of one run: a lost, doubled or pending message. Empty when it stands exactly once. */
export function exchangeFaults(messages: readonly Message[], runId: string, text: string): string[] {
  const own = messages.filter((message) => message.runId === runId);
  const asked = own.filter(({ role }) => role === 'user');
  const spoken = own.filter((message) => message.role === 'assistant' && textOf(message) !== '');
  return [
    ...(asked.length === 1 && textOf(asked[0]) === text
      ? []
      : [`${runId}: its message stands ${asked.length} times`]),
    ...(spoken.length === 1 ? [] : [`${runId}: its answer stands ${spoken.length} times`]),
    ...(own.some(({ pending }) => pending === true) ? [`${runId}: it is still pending`] : []),
  ];
}

/** All nodes of a tree, parents first. */
export const nodesOf = (node: TreeNode): TreeNode[] => [node, ...node.children.flatMap(nodesOf)];

/** Resolves with all nodes of the live tree when each of them runs: nobody starts, stops or waits any more. */
export async function allRunning(wire: Wire): Promise<TreeNode[]> {
  return eventually('every actor to run', async () => {
    const nodes = nodesOf(((await wire.ask('tree.get')) as { tree: TreeNode }).tree);
    return nodes.every(({ status }) => status === 'running') ? nodes : undefined;
  });
}

/** One node of the live tree; undefined when there is none at that path now. */
export async function nodeAt(wire: Wire, path: string): Promise<TreeNode | undefined> {
  const { tree } = (await wire.ask('tree.get')) as { tree: TreeNode };
  return nodesOf(tree).find((node) => node.path === path);
}

/** `tree.get`, `tree.subscribe`, `actor.explain`, and the levers: `actor.kill`, `actor.park`, `actor.unpark`. */
import { z } from 'zod';
import { CoppiceError } from '../../../errors.ts';
import type { TreeNode } from '../../../supervisor/registry.ts';
import { fitTree } from '../fit.ts';
import { defineMethod, type Call } from '../method.ts';
import { idempotencyKey } from './fields.ts';

const path = z.string().min(1).max(1_024);

export const treeGet = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({ path: path.optional() }),
  handle: (params, call) => ({ payload: fitted(call, params.path) }),
});

function fitted({ port, limits }: Call, at?: string) {
  const tree = port.tree();
  const node = at === undefined ? tree : find(tree, at);
  if (!node) throw new CoppiceError('ACTOR_NOT_FOUND', { path: at });
  return fitTree(node, limits.replyBytes - 4_096);
}

function find(node: TreeNode, at: string): TreeNode | undefined {
  if (node.path === at) return node;
  for (const child of node.children) {
    const found = find(child, at);
    if (found) return found;
  }
  return undefined;
}

/** Answers with the tree as it is, then sends `tree` events when it changes, at most four a second. */
export const treeSubscribe = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle: (_params, call) => {
    call.subscribeTree();
    return { payload: { subscribed: true, ...fitted(call) } };
  },
});

/** `path` is a path of the tree or a session key. */
export const actorExplain = defineMethod({
  scope: 'operator.read',
  params: z
    .strictObject({ path: path.optional(), sessionKey: path.optional() })
    .refine(
      (params) => (params.path === undefined) !== (params.sessionKey === undefined),
      'give either path or sessionKey',
    ),
  handle: (params, { port }) => ({ payload: port.explain(params.path ?? params.sessionKey ?? '') }),
});

export const actorKill = defineMethod({
  scope: 'operator.admin',
  params: z.strictObject({ path, count: z.boolean().optional(), idempotencyKey: idempotencyKey.optional() }),
  handle: (params, { port, connId }) => {
    const count = params.count === undefined ? {} : { count: params.count };
    const killed = port.kill(params.path, { by: `operator ${connId}`, ...count });
    return { payload: { ok: true, ...killed } };
  },
});

const held = z.strictObject({ path, idempotencyKey: idempotencyKey.optional() });

/** Answers when it is down. It stays down until `actor.unpark`, or until its supervisor starts anew. */
export const actorPark = defineMethod({
  scope: 'operator.admin',
  params: held,
  handle: async (params, { port }) => ({ payload: { ok: true, ...(await port.park(params.path)) } }),
});

export const actorUnpark = defineMethod({
  scope: 'operator.admin',
  params: held,
  handle: async (params, { port }) => ({ payload: { ok: true, ...(await port.unpark(params.path)) } }),
});

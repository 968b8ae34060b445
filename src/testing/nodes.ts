import type { AnyStateNode } from 'xstate';

/** A node and everything below it, in the order of the definition. */
export function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

export const pathOf = (node: AnyStateNode): string => node.path.join('.') || '(root)';

/** Cutting an answer so that it fits one frame, and saying what was cut. */
import type { TreeNode } from '../../supervisor/registry.ts';

export interface Fitted<T> {
  readonly messages: readonly T[];
  readonly truncated?: true;
  /** How many older messages were left out. */
  readonly omitted?: number;
}

/** The newest messages that fit into `bytes`; the older ones are left out. */
export function fitNewest<T>(messages: readonly T[], bytes: number): Fitted<T> {
  let rest = bytes;
  let from = messages.length;
  while (from > 0) {
    rest -= Buffer.byteLength(JSON.stringify(messages[from - 1])) + 1;
    if (rest < 0) break;
    from -= 1;
  }
  return from === 0 ? { messages } : { messages: messages.slice(from), truncated: true, omitted: from };
}

/** A node whose list of children was cut says how many are missing. */
export type FittedNode = TreeNode & { readonly omitted?: number };

/** Fewer and fewer children per node until the tree fits. */
const WIDTHS = [2_000, 500, 120, 30, 8, 2, 0] as const;

export function fitTree(
  tree: TreeNode,
  bytes: number,
): { readonly tree: FittedNode; readonly truncated?: true } {
  if (fits(tree, bytes)) return { tree };
  for (const width of WIDTHS) {
    const cut = prune(tree, width);
    if (fits(cut, bytes)) return { tree: cut, truncated: true };
  }
  return { tree: prune(tree, 0), truncated: true };
}

function fits(tree: TreeNode, bytes: number): boolean {
  return Buffer.byteLength(JSON.stringify(tree)) <= bytes;
}

function prune(node: TreeNode, width: number): FittedNode {
  const children = node.children.slice(0, width).map((child) => prune(child, width));
  const omitted = node.children.length - children.length;
  return { ...node, children, ...(omitted > 0 ? { omitted } : {}) };
}

import { CoppiceError } from '../../errors.ts';
import type { TreeNode } from '../../supervisor/registry.ts';
import type { Client } from '../client.ts';
import { EXIT } from '../exit-codes.ts';
import { withGateway } from '../gateway-session.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import type { CommonOptions } from '../options.ts';
import { paintFor } from '../render/style.ts';
import { renderTree } from '../render/tree.ts';
import { watch } from '../watch.ts';

export interface TreeOptions extends CommonOptions {
  readonly watch?: boolean;
}

/** `coppice tree [PATH]`. A path may leave out the leading `gateway/`. */
export async function tree(io: Io, path: string | undefined, options: TreeOptions): Promise<number> {
  if (options.watch) return watchTree(io, path, options);
  const node = await withGateway(io, options, (client) => fetchTree(client, path));
  if (options.json) writeJson(io.stdout, { tree: node });
  else writeLines(io.stdout, show(io, node));
  return EXIT.ok;
}

function watchTree(io: Io, path: string | undefined, options: TreeOptions): Promise<number> {
  return watch(io, options, {
    fetch: (client) => fetchTree(client, path),
    document: (node) => ({ tree: node }),
    lines: (node) => show(io, node),
  });
}

function show(io: Io, node: TreeNode): string[] {
  const width = (io.stdout.isTTY ? io.stdout.columns : undefined) ?? Number.POSITIVE_INFINITY;
  return renderTree(node, { paint: paintFor(io.stdout, io.env), width });
}

async function fetchTree(client: Client, path: string | undefined): Promise<TreeNode> {
  const { tree: root } = (await client.request('tree.get')) as { tree: TreeNode };
  const node = path === undefined ? root : (at(root, path) ?? at(root, `${root.path}/${path}`));
  if (!node) throw new CoppiceError('ACTOR_NOT_FOUND', { path });
  return node;
}

/** Goes down along the path only, so a wide tree costs nothing. */
function at(node: TreeNode, path: string): TreeNode | undefined {
  if (node.path === path) return node;
  const next = node.children.find((child) => path === child.path || path.startsWith(`${child.path}/`));
  return next && at(next, path);
}

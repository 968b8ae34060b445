import { setTimeout as delay } from 'node:timers/promises';
import type { TreeNode } from '../../supervisor/registry.ts';
import { type Client, retryAfterMs } from '../client.ts';
import { EXIT } from '../exit-codes.ts';
import { withGateway } from '../gateway-session.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import { type Link, openLink } from '../link.ts';
import type { CommonOptions } from '../options.ts';
import { safe } from '../render/text.ts';
import { onStopSignals } from '../stop-signals.ts';
import { treePath } from '../tree-path.ts';

/** A supervisor in backoff may take longer; what is seen by then is said. */
const LOOK_MS = 5_000;
const EVERY_MS = 40;
/** The longest of the ordinary shutdowns, and a little more. */
const STOP_MS = 30_000;

interface Seen {
  readonly status: TreeNode['status'] | 'gone';
  readonly incarnation: number;
  readonly state: string;
}

/** `coppice kill PATH`: crashes it and shows its next life. It may be the very server we talk to. */
export async function kill(io: Io, given: string, options: CommonOptions): Promise<number> {
  const path = treePath(given);
  const link = await openLink(io, options);
  const stop = onStopSignals(() => link.close());
  try {
    const client = await link.client();
    const killed = (await client.request('actor.kill', { path })) as { incarnation: number };
    const now = await afterLife(link, path, killed.incarnation);
    if (options.json) writeJson(io.stdout, { path, killed: killed.incarnation, now });
    else writeLines(io.stdout, [`killed ${safe(path)}, life ${killed.incarnation}`, `now ${describe(now)}`]);
    return EXIT.ok;
  } finally {
    stop();
    link.close();
  }
}

/** What became of it: its next life, or how it stands when the look is over. */
async function afterLife(link: Link, path: string, killed: number): Promise<Seen> {
  const deadlineMs = performance.now() + LOOK_MS;
  for (;;) {
    const node = await look(link, path);
    const alive = node?.status === 'running' && node.incarnation !== killed;
    if (alive || performance.now() > deadlineMs || link.closed) return seen(node);
    await delay(EVERY_MS);
  }
}

/** Undefined: there is nobody, or the way there is just being rebuilt. */
async function look(link: Link, path: string): Promise<TreeNode | undefined> {
  try {
    const { tree } = (await (await link.client()).request('tree.get', { path })) as { tree: TreeNode };
    return tree;
  } catch (error) {
    const notThere = (error as { details?: { refusal?: string } }).details?.refusal === 'INVALID_REQUEST';
    if (notThere || retryAfterMs(error) !== undefined) return undefined;
    throw error;
  }
}

function seen(node: TreeNode | undefined): Seen {
  if (!node) return { status: 'gone', incarnation: 0, state: '' };
  const { status, incarnation, state } = node;
  return { status, incarnation, state };
}

function describe({ status, incarnation, state }: Seen): string {
  if (status === 'gone') return 'nobody is there: it is started again when it is needed';
  return `life ${incarnation}, ${status}${state === status ? '' : `, state ${safe(state)}`}`;
}

/** `coppice park PATH`: stops it and holds it down. */
export function park(io: Io, path: string, options: CommonOptions): Promise<number> {
  return hold(io, path, options, 'actor.park', 'parked');
}

/** `coppice unpark PATH`. */
export function unpark(io: Io, path: string, options: CommonOptions): Promise<number> {
  return hold(io, path, options, 'actor.unpark', 'unparked');
}

function hold(io: Io, given: string, options: CommonOptions, method: string, done: string): Promise<number> {
  const path = treePath(given);
  return withGateway(io, options, async (client: Client) => {
    const { incarnation } = (await client.request(method, { path }, STOP_MS)) as { incarnation: number };
    if (options.json) writeJson(io.stdout, { path, [done]: true, incarnation });
    else writeLines(io.stdout, [`${done} ${safe(path)}, life ${incarnation}`]);
    return EXIT.ok;
  });
}

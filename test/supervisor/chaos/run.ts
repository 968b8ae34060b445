/** Does to a tree what a plan says, and returns what was broken. */
import type { TreeNode } from '../../../src/supervisor/index.ts';
import type { Plan } from './plan.ts';
import { isAlone, World } from './world.ts';

export async function runPlan(plan: Plan): Promise<string[]> {
  const world = new World(plan);
  await world.clock.settle();
  const first = always(world);
  if (first.length > 0) return first.map((text) => `at the start: ${text}`);
  for (const [at, op] of plan.ops.entries()) {
    world.take(op);
    await world.clock.settle();
    const broken = always(world);
    if (broken.length > 0) return broken.map((text) => `after step ${at} (${op.do}, ${op.from}): ${text}`);
  }
  return (await finish(world)).map((text) => `at the end: ${text}`);
}

/** What is shut down must be gone within this time: a few deadlines one after the other, some of them for disposers. */
const LONGEST_MS = 60_000;

async function finish(world: World): Promise<string[]> {
  world.forgetPlans();
  const order = stopOrder(world);
  world.stop();
  await world.clock.settle();
  for (let ms = 0; ms < LONGEST_MS && world.ended === 0; ms += 500) await world.clock.advanceAsync(500);
  if (world.ended !== 1) return [`the root ended ${world.ended} times`];
  await world.clock.settle();
  // What closes for a start that failed is bounded by its child's deadline; nobody is above the root to wait for it.
  const slow = world.lives.some(({ plan, disposing }) => disposing || plan.traits.disposer === 'never');
  if (slow) await world.clock.advanceAsync(150);
  const ours = world.clock.pending - world.ownTimers;
  const broken = [...always(world), ...order(), ...watched(world), ...counted(world)];
  if (ours !== 0) broken.push(`${ours} timers are pending`);
  await world.clock.advanceAsync(10_000);
  broken.push(...always(world));
  if (world.clock.pending > 0) broken.push(`${world.clock.pending} timers are pending for ever`);
  if (world.asked !== world.answered) broken.push(`${world.asked - world.answered} orders were not answered`);
  for (const life of world.lives)
    if (life.held > 0 || !life.scope.closed || life.over === undefined)
      broken.push(`${life.path} ${life.incarnation} still holds something`);
  for (const n of world.stashed) {
    const [taken, dead] = [world.taken.has(n), world.dead.has(n)];
    if (taken && dead) broken.push(`what was stashed is delivered, and a dead letter: ${n}`);
    if (!taken && !dead && !world.mailLost) broken.push(`what was stashed is lost: ${n}`);
  }
  const top = world.supervision.registry.node('top');
  if (top && (top.status === 'running' || top.children.length > 0)) broken.push('the tree is not empty');
  return broken;
}

/** What holds between any two turns. */
function always(world: World): string[] {
  const { supervision, broken } = world;
  const { registry } = supervision;
  const found = [...broken];
  for (const life of world.lives) {
    const lives = registry.scope(life.path) === life.scope;
    const name = `${life.path} ${life.incarnation}`;
    if (life.over !== undefined && life.held > 0) found.push(`${name} is over and holds ${life.held}`);
    if (life.over === undefined && !lives) found.push(`${name} is not over and not in the table`);
    if (!lives) continue;
    if (registry.incarnation(life.path) !== life.incarnation) found.push(`${name} has another number`);
    const { status, value } = registry.peek(life.path) as { status: string; value?: unknown };
    if (status !== 'active') found.push(`${name} is in the table and is ${status}`);
    const { depth } = life.plan.traits;
    const whole = 1 + depth;
    // A suspended one has not heard yet what became of its inner ones.
    const waits = registry.node(life.path)?.held !== undefined;
    const hurt = value === 'hurt' || (value === 'closing' && life.plan.traits.heals) || waits;
    if (life.held > whole || life.held < (hurt ? 1 : whole))
      found.push(`${name} holds ${life.held} of ${whole}`);
  }
  for (const node of nodes(registry.node('top')))
    if (
      node.status !== 'stopping' &&
      (node.status === 'running') !== (registry.incarnation(node.path) === node.incarnation)
    )
      found.push(`${node.path} is shown as ${node.status}, and it is ${registry.incarnation(node.path)}`);
  for (const path of world.supervisors) found.push(...rows(world, path));
  const { count, last } = supervision.sinkFaults();
  if (count > 0) found.push(`a sink threw: ${last?.sink} ${last?.error.message}`);
  return found;
}

const nodes = (node: TreeNode | undefined): TreeNode[] =>
  node ? [node, ...node.children.flatMap(nodes)] : [];

function rows({ supervision }: World, path: string): string[] {
  const { registry } = supervision;
  if (registry.incarnation(path) === undefined) return [];
  const list = supervision.whichChildren(path);
  const { specs, active } = supervision.countChildren(path);
  const found: string[] = [];
  const numbered = list.filter(({ child }) => typeof child === 'number');
  if (specs !== list.length || active !== numbered.length) found.push(`the counts of ${path} are wrong`);
  for (const { path: at, child } of list) {
    const lives = registry.incarnation(at);
    const closing = registry.node(at)?.status === 'stopping';
    if (typeof child === 'number' ? lives !== child && !closing : lives !== undefined)
      found.push(`${at} is listed as ${child}, and it is ${lives}`);
  }
  return found;
}

/** Between static siblings that live when the end begins. */
function stopOrder(world: World): () => string[] {
  const { registry } = world.supervision;
  const expected: (readonly number[])[] = [];
  // An order that waits is obeyed first.
  if (world.asked !== world.answered) return () => [];
  for (const path of world.supervisors) {
    if (world.plans.get(path)!.shape !== 'static' || registry.incarnation(path) === undefined) continue;
    const list = world.supervision.whichChildren(path);
    if (list.some(({ path: at, child }) => child !== undefined && registry.node(at)?.status !== 'running'))
      continue;
    const serials = list.flatMap(({ path: at, child }) => {
      const life = world.lives.find((one) => one.path === at && registry.scope(at) === one.scope);
      const runs = typeof child === 'number' && registry.node(at)?.status === 'running';
      return runs && life ? [life.serial] : [];
    });
    expected.push(serials.reverse());
  }
  return () =>
    expected.flatMap((serials) => {
      const overs = serials.map((serial) => world.life(serial).over!);
      return overs.every((over, n) => n === 0 || overs[n - 1]! < over)
        ? []
        : [`stopped in the wrong order: ${serials.map((serial) => world.life(serial).path).join()}`];
    });
}

/** Up and down by turns, and the number rises, unless the child was forgotten or its supervisor began anew. */
function watched(world: World): string[] {
  const found: string[] = [];
  for (const [path, log] of world.heard) {
    let up: number | undefined;
    let last = 0;
    for (const { kind, incarnation, reason } of log) {
      if (kind === 'up') {
        if (up !== undefined) found.push(`${path} came up twice`);
        if (incarnation <= last && incarnation !== 1 && !world.reborn.has(path) && path.split('/').length < 3)
          found.push(`${path} came up as ${incarnation} after ${last}`);
        up = incarnation;
        last = incarnation;
      } else if (reason !== 'noproc') {
        if (up !== incarnation) found.push(`${path} went down as ${incarnation}, and was ${up}`);
        up = undefined;
      }
    }
    if (up !== undefined) found.push(`nobody heard that ${path} is down`);
  }
  return found;
}

/** Reports agree with each other: a life begins once and ends once, and no supervisor restarts more than it may. */
function counted(world: World): string[] {
  const found: string[] = [];
  const begun = new Map<string, { readonly life: number; readonly under: string }>();
  const logs = new Map<string, number[]>();
  const killed = new Set<string>();
  for (const { path, incarnation, childPath, childIncarnation, body, at, under } of world.reports) {
    const { life: last, under: before } = begun.get(childPath) ?? { life: 0, under: '' };
    switch (body.type) {
      case 'progress':
      case 'start_error':
        // A new life of the supervisor, or of one above it, counts anew, and a start that was ignored is counted and not told.
        if (childIncarnation <= last && childIncarnation !== 1 && under === before)
          found.push(`${childPath} began as ${childIncarnation} after ${last}`);
        begun.set(childPath, { life: childIncarnation, under });
        // A supervisor that begins anew counts anew.
        logs.delete(childPath);
        for (const key of logs.keys()) if (key.startsWith(`${childPath}/#`)) logs.delete(key);
        killed.delete(childPath);
        break;
      case 'child_terminated':
      case 'shutdown_error':
        if (childIncarnation !== last) found.push(`${childPath} ${childIncarnation} ended, and was ${last}`);
        if (body.reason === 'killed') killed.add(childPath);
        break;
      case 'stale_exit':
        found.push(`a stale exit of ${childPath} ${childIncarnation}`);
        break;
      case 'restart_scheduled': {
        const plan = world.plans.get(path);
        if (!plan || (plan.park && isAlone(plan)) || killed.has(childPath)) break;
        const log = (logs.get(path) ?? []).filter((ms) => ms >= at - plan.periodMs);
        log.push(at);
        logs.set(path, log);
        if (log.length > plan.intensity)
          found.push(`${path} ${incarnation} restarts ${log.length} times within ${plan.periodMs} ms`);
        break;
      }
      default:
    }
  }
  return found;
}

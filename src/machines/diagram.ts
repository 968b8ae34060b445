/** A statechart as a Mermaid state diagram. Of any machine, ours or a caller's; pure. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { invokesOf, nodesOf, waysOutOf, type WayOut } from './anatomy.ts';

/**
 * The text of a `stateDiagram-v2`: nested states, parallel regions, guards in brackets, delays, what runs in a state,
 * final states. Ways that lead nowhere (only the context changes) are left out. What holds wherever the machine is
 * leaves from a box "in any state".
 *
 * An arrow is written where its two ends have their nearest common parent, and before the boxes in it: Mermaid puts a
 * state into the box that speaks of it last.
 */
export function diagram(machine: AnyStateMachine): string {
  const chart = chartOf(machine);
  return `${['stateDiagram-v2', ...body(machine.root, chart).map(indented)].join('\n')}\n`;
}

interface Chart {
  /** What Mermaid knows a node by. */
  readonly ids: ReadonlyMap<AnyStateNode, string>;
  /** Arrows by the node whose box they are written in. */
  readonly arrows: ReadonlyMap<AnyStateNode, readonly Arrow[]>;
}

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly inside: AnyStateNode;
}

const indented = (line: string): string => `  ${line}`;

function chartOf(machine: AnyStateMachine): Chart {
  const ids = idsOf(machine);
  const all = [...nodesOf(machine.root)].flatMap((node) =>
    waysOutOf(node).flatMap((way) => way.targets.map((target) => arrowOf(node, way, target, ids))),
  );
  return { ids, arrows: grouped(all, ({ inside }) => inside) };
}

function grouped<K>(arrows: readonly Arrow[], by: (arrow: Arrow) => K): Map<K, Arrow[]> {
  const groups = new Map<K, Arrow[]>();
  for (const arrow of arrows) groups.set(by(arrow), [...(groups.get(by(arrow)) ?? []), arrow]);
  return groups;
}

/** Words of the language, which Mermaid does not take as the name of a state. */
const RESERVED =
  /^(?:as|choice|class|classdef|click|default|direction|end|fork|join|note|scale|state|style)$/i;

function idsOf(machine: AnyStateMachine): Map<AnyStateNode, string> {
  const ids = new Map<AnyStateNode, string>();
  const taken = new Set<string>();
  for (const node of nodesOf(machine.root)) {
    const plain = node.path.join('_').replaceAll(/\W/g, '_');
    const usable = RESERVED.test(plain) ? `${plain}_` : plain;
    let id = usable;
    for (let n = 2; taken.has(id); n += 1) id = `${usable}_${n}`;
    taken.add(id);
    ids.set(node, id);
  }
  return ids;
}

const anyOf = (node: AnyStateNode, ids: Chart['ids']): string =>
  node.parent ? `${ids.get(node)}__any` : '__any';

function arrowOf(source: AnyStateNode, way: WayOut, target: AnyStateNode, ids: Chart['ids']): Arrow {
  const end = contains(target, source) ? begunAt(target, source) : target;
  const outermost = contains(source, end) || source.parent === undefined;
  const inside = outermost ? source : common(source, end);
  return {
    from: outermost ? anyOf(source, ids) : (ids.get(source) ?? ''),
    to: ids.get(end) ?? '',
    label: labelOf(way),
    inside,
  };
}

/** Properly: nothing contains itself. */
const contains = (outer: AnyStateNode, inner: AnyStateNode): boolean =>
  inner.parent !== undefined && (inner.parent === outer || contains(outer, inner.parent));

/** Where entering a box leads its inner `from`. Mermaid draws no arrow from a state to a box around it. */
function begunAt(node: AnyStateNode, from: AnyStateNode): AnyStateNode {
  const children = Object.values(node.states);
  const first =
    node.type === 'compound'
      ? node.initial.target?.[0]
      : (children.find((child) => child === from || contains(child, from)) ?? children[0]);
  return first ? begunAt(first, from) : node;
}

function common(a: AnyStateNode, b: AnyStateNode): AnyStateNode {
  let at = a.parent ?? a;
  while (at.parent && !contains(at, b)) at = at.parent;
  return at;
}

/** Colon and semicolon end a label, quotes end a name. */
const plain = (text: string): string => text.replaceAll(/[:;"\n]/g, ' ');

function labelOf({ on, delay, guard, otherwise }: WayOut): string {
  const when = guard === undefined ? (otherwise ? ' [else]' : '') : ` [${guard}]`;
  return plain(`${readableOf({ on, delay })}${when}`);
}

/** `after 30 s (startDeadline)` for a delay that is fixed, `after rung` for one that is computed. */
export function readableOf({ on, delay }: Pick<WayOut, 'on' | 'delay'>): string {
  if (delay === undefined) return on;
  const name = on.replace(/^after /, '');
  return /^\d+$/.test(name) ? `after ${delay}` : `after ${delay} (${name})`;
}

/** Arrows, then the boxes and states of a node, its regions apart from each other. */
function body(node: AnyStateNode, chart: Chart): string[] {
  const children = Object.values(node.states);
  const drawn = children.map((child) => drawing(child, chart));
  const separator = node.type === 'parallel' ? ['--'] : [];
  return [
    ...anywhere(node, chart),
    ...beginning(node, chart),
    ...arrowLines(chart.arrows.get(node) ?? []),
    ...drawn.flatMap((lines, index) => (index > 0 ? [...separator, ...lines] : lines)),
    ...(node.type === 'parallel'
      ? []
      : children.filter(isFinal).map((one) => `${chart.ids.get(one)} --> [*]`)),
  ];
}

const isFinal = ({ type }: AnyStateNode): boolean => type === 'final';

/** The box for what holds in all of them; of the machine, also for what runs as long as it lives. */
function anywhere(node: AnyStateNode, { ids, arrows }: Chart): string[] {
  const id = anyOf(node, ids);
  const runs = node.parent ? [] : invokesOf(node);
  const needed = runs.length > 0 || (arrows.get(node) ?? []).some(({ from }) => from === id);
  if (!needed) return [];
  const lines = [`state "in any state" as ${id}`];
  return runs.length > 0 ? [...lines, `${id} : ${plain(`runs ${runs.join(', ')}`)}`] : lines;
}

function beginning(node: AnyStateNode, { ids }: Chart): string[] {
  const [first] = node.type === 'compound' ? (node.initial.target ?? []) : [];
  return first ? [`[*] --> ${ids.get(first)}`] : [];
}

/** Arrows between the same two states are one, with a line for each cause. */
function arrowLines(arrows: readonly Arrow[]): string[] {
  const pairs = grouped(arrows, ({ from, to }) => `${from} --> ${to}`);
  return [...pairs].map(
    ([pair, same]) => `${pair} : ${[...new Set(same.map(({ label }) => label))].join('<br/>')}`,
  );
}

function drawing(node: AnyStateNode, chart: Chart): string[] {
  const id = chart.ids.get(node);
  const runs = invokesOf(node).join(', ');
  if (Object.keys(node.states).length === 0) {
    return [
      `state "${plain(node.key)}" as ${id}`,
      ...(runs === '' ? [] : [`${id} : ${plain(`runs ${runs}`)}`]),
    ];
  }
  const title = runs === '' ? node.key : `${node.key} (runs ${runs})`;
  return [`state "${plain(title)}" as ${id} {`, ...body(node, chart).map(indented), '}'];
}

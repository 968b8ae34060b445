/** A statechart as an SVG picture of where it is now, for pages. Of any machine, pure: the same input, the same text. */
import type { AnyStateMachine, AnyStateNode, StateValue } from 'xstate';
import { nodesOf, waysOutOf } from './anatomy.ts';

const BOX = { width: 132, height: 44, apart: 60, columns: 188 };
const INK = {
  line: '#9aa8b6',
  tip: '#5b6b7b',
  text: '#1d2733',
  box: '#ffffff',
  final: '#eef1f4',
  now: '#1769aa',
};

/**
 * The states at the top as boxes, from the initial one to the right, final ones last; the arrows between them, each
 * with its causes as a title; with a state value (of a snapshot), the state it is in and what it is doing inside. What
 * holds wherever the machine is has no arrow. Classes: `statechart`, and for boxes `state`, `final` and `current`.
 */
export function picture(machine: AnyStateMachine, value?: StateValue): string {
  const columns = columnsOf(machine);
  const width = columns.length * BOX.columns;
  const height = Math.max(...columns.map(({ length }) => length)) * BOX.apart;
  const spots = spotsOf(columns, height);
  const parts = [...arrowsOf(machine, spots), ...[...spots].map(([node, spot]) => box(node, spot, value))];
  const font = 'font-family="system-ui, sans-serif" font-size="13" text-anchor="middle"';
  return `<svg class="statechart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${font}>${parts.join('')}</svg>`;
}

interface Spot {
  readonly x: number;
  readonly y: number;
}
type Spots = ReadonlyMap<AnyStateNode, Spot>;

const topsOf = (machine: AnyStateMachine): AnyStateNode[] => Object.values(machine.root.states);
const isFinal = ({ type }: AnyStateNode): boolean => type === 'final';

/** By the number of steps from the initial state; what only the whole machine leads to comes after, then what is final. */
function columnsOf(machine: AnyStateMachine): AnyStateNode[][] {
  const rest = new Set(topsOf(machine).filter((node) => !isFinal(node)));
  const columns: AnyStateNode[][] = [];
  let column = [...rest].filter((node) => isFirst(machine, node));
  while (column.length > 0) {
    columns.push(column);
    for (const node of column) rest.delete(node);
    const next = new Set(column.flatMap((node) => [...leadsTo(machine, node).keys()]));
    column = [...rest].filter((node) => next.has(node));
  }
  return [...columns, [...rest], topsOf(machine).filter(isFinal)].filter(({ length }) => length > 0);
}

/** Regions of a parallel machine begin together. */
const isFirst = ({ root }: AnyStateMachine, node: AnyStateNode): boolean =>
  root.type === 'parallel' || root.initial.target?.[0] === node;

function spotsOf(columns: readonly (readonly AnyStateNode[])[], height: number): Map<AnyStateNode, Spot> {
  return new Map(
    columns.flatMap((nodes, column) =>
      nodes.map((node, row): [AnyStateNode, Spot] => [
        node,
        { x: (column + 0.5) * BOX.columns, y: ((row + 0.5) * height) / nodes.length },
      ]),
    ),
  );
}

/** The other states at the top that one leads to, from anywhere inside it, with what leads there. */
function leadsTo(machine: AnyStateMachine, from: AnyStateNode): Map<AnyStateNode, Set<string>> {
  const found = new Map<AnyStateNode, Set<string>>();
  for (const { on, targets } of [...nodesOf(from)].flatMap(waysOutOf)) {
    for (const { path } of targets) {
      const top = machine.root.states[path[0] ?? ''];
      if (top && top !== from) found.set(top, (found.get(top) ?? new Set()).add(on));
    }
  }
  return found;
}

const arrowsOf = (machine: AnyStateMachine, spots: Spots): string[] =>
  [...spots].flatMap(([from, start]) =>
    [...leadsTo(machine, from)].flatMap(([to, causes]) => {
      const end = spots.get(to);
      return end ? [arrow(start, end, [...causes].join(', '))] : [];
    }),
  );

/** Bent to one side, so that there and back are two; its tip is in the middle, where no box hides it. */
function arrow(a: Spot, b: Spot, title: string): string {
  const c: Spot = { x: (a.x + b.x + (b.y - a.y) / 4) / 2, y: (a.y + b.y - (b.x - a.x) / 4) / 2 };
  const middle: Spot = { x: (a.x + 2 * c.x + b.x) / 4, y: (a.y + 2 * c.y + b.y) / 4 };
  const turn = (Math.atan2(b.y - a.y, b.x - a.x) * 180) / Math.PI;
  const line = `<path d="M${at(a)}Q${at(c)} ${at(b)}" fill="none" stroke="${INK.line}"/>`;
  const tip = `<path d="M-4 -4L5 0L-4 4z" fill="${INK.tip}" transform="translate(${at(middle)}) rotate(${turn.toFixed(1)})"/>`;
  return `<g class="arrow"><title>${escaped(title)}</title>${line}${tip}</g>`;
}

const at = ({ x, y }: Spot): string => `${x.toFixed(1)} ${y.toFixed(1)}`;

function box(node: AnyStateNode, { x, y }: Spot, value: StateValue | undefined): string {
  const inside = insideOf(node, value);
  const kind = inside ? 'state current' : isFinal(node) ? 'state final' : 'state';
  const fill = inside ? INK.now : isFinal(node) ? INK.final : INK.box;
  const corner = `x="${x - BOX.width / 2}" y="${y - BOX.height / 2}" width="${BOX.width}" height="${BOX.height}" rx="9"`;
  const rect = `<rect ${corner} fill="${fill}" stroke="${inside ? INK.now : INK.line}"/>`;
  const lines = [node.key, ...(inside ?? [])].map((line, row, { length }) => {
    const small = row > 0 ? ' font-size="10"' : '';
    return `<tspan x="${x}" y="${y + 10 - 6 * length + 13 * row}"${small}>${escaped(line)}</tspan>`;
  });
  return `<g class="${kind}">${rect}<text fill="${inside ? INK.box : INK.text}">${lines.join('')}</text></g>`;
}

/** Undefined: it is not there. Else a line for each region: `turn: running working`. At most two have room. */
function insideOf({ key }: AnyStateNode, value: StateValue | undefined): string[] | undefined {
  if (typeof value !== 'object') return value === key ? [] : undefined;
  const inside = value[key];
  if (inside === undefined) return undefined;
  if (typeof inside === 'string') return [inside];
  return Object.entries(inside)
    .slice(0, 2)
    .map(([region, within]) => `${region}: ${words(within)}`);
}

const words = (value: StateValue | undefined): string =>
  typeof value === 'object'
    ? Object.entries(value)
        .map(([name, inner]) => `${name} ${words(inner)}`.trim())
        .join(', ')
    : (value ?? '');

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

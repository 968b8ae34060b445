import type { NodeStatus, TreeNode } from '../../supervisor/registry.ts';
import type { Colour, Paint } from './style.ts';
import { cells, cut, padEnd, padStart, safe, span } from './text.ts';

export interface TreeView {
  readonly paint: Paint;
  /** Cells of the terminal. Infinity: nothing is cut. */
  readonly width: number;
}

const LOOKS: Readonly<Record<NodeStatus, readonly [mark: string, colour: Colour]>> = {
  running: ['●', 'green'],
  starting: ['◌', 'cyan'],
  'backing-off': ['↻', 'yellow'],
  stopping: ['◍', 'dim'],
  parked: ['■', 'red'],
};

interface Row {
  readonly name: string;
  readonly node: TreeNode;
  /** Lives, restarts, queued, age of the last progress. */
  readonly numbers: readonly string[];
  readonly state: string;
}

const HEADINGS = ['life', 'restarts', 'queued', 'progress'] as const;
const GAP = '  ';
const NAME_MIN = 12;
const STATE_MIN = 8;

/** The live actor tree, one line per actor under a line of headings. No line is wider than `view.width`. */
export function renderTree(root: TreeNode, view: TreeView): string[] {
  const rows = [...walk(root, '', '')];
  const widths = HEADINGS.map((heading, i) =>
    Math.max(cells(heading), ...rows.map((row) => cells(row.numbers[i]!))),
  );
  const numbersWidth = widths.reduce((sum, width) => sum + width + GAP.length, 0);
  // Between the name and the state stand a gap and the mark with its blank.
  const [name, state] = share(
    view.width - numbersWidth - GAP.length - 2,
    widest(rows, 'actor', (row) => row.name),
    widest(rows, 'state', (row) => row.state),
  );
  const line = (first: string, mark: string, second: string, numbers: readonly string[]): string =>
    [
      padEnd(cut(first, name), name),
      `${mark} ${padEnd(cut(second, state), state)}`,
      ...numbers.map((text, i) => padStart(text, widths[i]!)),
    ].join(GAP);
  const heading = view.paint('dim', clip(line('actor', ' ', 'state', HEADINGS), view.width));
  return [
    heading,
    ...rows.map((row) =>
      colour(
        row,
        clip(line(row.name, LOOKS[row.node.status][0], row.state, row.numbers), view.width),
        view.paint,
      ),
    ),
  ];
}

function* walk(node: TreeNode, lead: string, below: string): Generator<Row> {
  yield {
    name: lead + safe(node.id),
    node,
    numbers: [`#${node.incarnation}`, String(node.restarts), String(node.queued), span(node.progressAgeMs)],
    state: node.status === 'running' ? safe(node.state) : node.status,
  };
  for (const [i, child] of node.children.entries()) {
    const last = i === node.children.length - 1;
    yield* walk(child, `${below}${last ? '└─ ' : '├─ '}`, `${below}${last ? '   ' : '│  '}`);
  }
}

function widest(rows: readonly Row[], heading: string, of: (row: Row) => string): number {
  return rows.reduce((width, row) => Math.max(width, cells(of(row))), cells(heading));
}

/** The room for name and state: the state gives way first, down to a minimum, then the name. */
function share(room: number, nameWants: number, stateWants: number): [number, number] {
  const state = Math.max(Math.min(stateWants, STATE_MIN), Math.min(stateWants, room - nameWants));
  const name = Math.max(Math.min(nameWants, NAME_MIN), Math.min(nameWants, room - state));
  return [name, state];
}

function clip(line: string, width: number): string {
  return cut(line, width).trimEnd();
}

/** Colours the whole line of an actor that is not well, else only its mark. */
function colour(row: Row, line: string, paint: Paint): string {
  const [mark, name] = LOOKS[row.node.status];
  return row.node.status === 'running' ? line.replace(mark, paint(name, mark)) : paint(name, line);
}

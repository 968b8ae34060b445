/** The live tree as a table: one row per actor, kept and updated in place so that a selection survives. */

export interface Node {
  readonly path: string;
  readonly id: string;
  readonly state: string;
  readonly status: string;
  readonly incarnation: number;
  readonly restarts: number;
  readonly queued: number;
  readonly children: readonly Node[];
  readonly omitted?: number;
}

interface Row {
  readonly element: HTMLTableRowElement;
  readonly cells: readonly HTMLTableCellElement[];
}

export function createTreeView(body: HTMLElement, count: HTMLElement) {
  const rows = new Map<string, Row>();
  const rowFor = (key: string): Row => {
    const known = rows.get(key);
    if (known) return known;
    const element = document.createElement('tr');
    const cells = Array.from({ length: 6 }, (_, index) => {
      const cell = element.insertCell();
      if (index > 2) cell.className = 'number';
      return cell;
    });
    const row = { element, cells };
    rows.set(key, row);
    return row;
  };
  return {
    show(tree: Node): void {
      const lines = flatten(tree, '', '');
      const elements = lines.map(({ key, lead, node }) => {
        const row = rowFor(key);
        fill(row, lead, node);
        return row.element;
      });
      body.replaceChildren(...elements);
      const shown = new Set(lines.map((line) => line.key));
      for (const key of rows.keys()) if (!shown.has(key)) rows.delete(key);
      count.textContent = `${lines.length}`;
    },
  };
}

function fill(row: Row, lead: string, node: Node): void {
  row.element.dataset['status'] = node.status;
  row.element.title = node.path;
  const [path, ...rest] = row.cells;
  const depth = document.createElement('span');
  depth.className = 'depth';
  depth.textContent = lead;
  const more = node.omitted ? ` (${node.omitted} more)` : '';
  path?.replaceChildren(depth, `${decode(node.id)}${more}`);
  const values = [node.state, node.status, node.incarnation, node.restarts, node.queued];
  for (const [index, cell] of rest.entries()) cell.textContent = String(values[index] ?? '');
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // A name that only looks encoded is shown as it is.
    return segment;
  }
}

interface Line {
  readonly key: string;
  readonly lead: string;
  readonly node: Node;
}

/** Depth first, each with its branch drawn in front. `branch` belongs to the node, `below` to its children. */
function flatten(node: Node, branch: string, below: string, index = 0): Line[] {
  const own = { key: `${node.path} ${node.id} ${index}`, lead: branch, node };
  const last = node.children.length - 1;
  const rest = node.children.flatMap((child, at) =>
    flatten(child, `${below}${at === last ? '└ ' : '├ '}`, `${below}${at === last ? '  ' : '│ '}`),
  );
  return [own, ...rest];
}

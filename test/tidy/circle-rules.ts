import { dirname, join } from 'node:path/posix';
import { imports } from './parsed.ts';
import type { Source } from './parsed.ts';

/** Files that reach each other, in order of their paths, and why they still may. */
export interface Circle {
  readonly files: readonly string[];
  readonly why: string;
}

/** Every set of files that reach each other by imports, types included: what must be read together is one file. */
export function circleFaults(files: readonly Source[], permitted: readonly Circle[]): string[] {
  const arrows = arrowsOf(files);
  return circlesOf(arrows)
    .filter((circle) => !permitted.some((permit) => isSame(permit.files, circle)))
    .map(
      (circle) =>
        `${arrowsWithin(circle, arrows).join(', ')}: files that import each other in a circle are one file in pieces, types or not, and where one value does, which is loaded first is chance. Move what both need into the file it belongs to, or into one of its own.`,
    );
}

/** Permissions for circles that stand no more, or have other files by now: the list can only shrink. */
export function staleCircleFaults(files: readonly Source[], permitted: readonly Circle[]): string[] {
  const circles = circlesOf(arrowsOf(files));
  return permitted
    .filter((permit) => !circles.some((circle) => isSame(permit.files, circle)))
    .map((permit) => `${permit.files.join(', ')}: no such circle. Delete it from the list in test/tidy.`);
}

type Arrows = ReadonlyMap<string, readonly string[]>;

const arrowsOf = (files: readonly Source[]): Arrows =>
  new Map(
    files.map((file) => [
      file.path,
      imports(file)
        .filter(({ from }) => from.startsWith('.'))
        .map(({ from }) => join(dirname(file.path), from)),
    ]),
  );

/** Two files are in one circle when each reaches the other; a file that imports itself is one, too. */
function circlesOf(arrows: Arrows): string[][] {
  const reached = new Map([...arrows.keys()].map((path) => [path, reachedFrom(path, arrows)]));
  const together = (one: string, other: string): boolean =>
    Boolean(reached.get(one)?.has(other) && reached.get(other)?.has(one));
  const circles = [...arrows.keys()]
    .toSorted()
    .filter((path) => together(path, path))
    .map((path) => [...arrows.keys()].filter((other) => together(path, other)).toSorted());
  return circles.filter(([first], at) => circles.findIndex(([other]) => other === first) === at);
}

function reachedFrom(start: string, arrows: Arrows): ReadonlySet<string> {
  const reached = new Set<string>();
  const next = [...(arrows.get(start) ?? [])];
  for (let path = next.pop(); path !== undefined; path = next.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    next.push(...(arrows.get(path) ?? []));
  }
  return reached;
}

const arrowsWithin = (circle: readonly string[], arrows: Arrows): string[] =>
  circle.flatMap((path) =>
    [...new Set(arrows.get(path))].filter((to) => circle.includes(to)).map((to) => `${path} > ${to}`),
  );

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.join('\n') === other.join('\n');

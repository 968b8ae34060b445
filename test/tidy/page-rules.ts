import { dirname, join } from 'node:path/posix';

/** Rules about the pages a newcomer reads. Each takes pages and answers with sentences, one a fault. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** Links to files and headings that are not there. `exists` is asked for paths relative to the project. */
export function linkFaults(pages: readonly Page[], exists: (path: string) => boolean): string[] {
  const headings = new Map(pages.map(({ path, text }) => [path, anchorsOf(text)]));
  return pages.flatMap(({ path, text }) =>
    [...proseOf(text).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(
      ([, file = '', anchor]) => {
        const target = file === '' ? path : join(dirname(path), file);
        if (!exists(target))
          return [`${path} links to ${target}, which does not exist: mend or drop the link.`];
        const known = anchor === undefined || !headings.has(target) || headings.get(target)?.has(anchor);
        return known ? [] : [`${path} links to #${anchor} of ${target}, where no heading is called so.`];
      },
    ),
  );
}

/** Files of the house that a page names and that are not there; below `src/` the first word may be left out. */
export function namedFileFaults(pages: readonly Page[], exists: (path: string) => boolean): string[] {
  return pages.flatMap(({ path, text }) =>
    [...spansOf(text).matchAll(/(?<![\w./@-])(?:[\w-]+\/)+[\w.-]+\.tsx?\b/g)]
      .map(([name]) => name)
      .filter((name) => !exists(name) && !exists(join('src', name)))
      .map((name) => `${path} names ${name}, which does not exist. Name what stands there now.`),
  );
}

/** Commands that a page shows and nobody has: those of `coppice`, and scripts of package.json. */
export function commandFaults(
  pages: readonly Page[],
  { commands, scripts }: { readonly commands: ReadonlySet<string>; readonly scripts: ReadonlySet<string> },
): string[] {
  const named = (text: string, pattern: RegExp, known: ReadonlySet<string>): string[] =>
    [...text.matchAll(pattern)].filter(([, name]) => !known.has(name!)).map(([whole]) => whole);
  return pages.flatMap(({ path, text }) => {
    const shown = typedOf(text);
    return [
      ...named(shown, /(?<!install )\bcoppice (?:-- )?([a-z]+)/g, commands),
      ...named(shown, /\bnpm run (?:-s )?([\w:-]+)/g, scripts),
    ].map(
      (command) => `${path} shows \`${command}\`, which does not exist. A reader types what a page shows.`,
    );
  });
}

const FENCED = /^ *```.*?\n[\s\S]*?^ *```/gm;
const SPAN = /`([^`\n]+)`/g;

const proseOf = (text: string): string => text.replaceAll(FENCED, '').replaceAll(SPAN, '');
const spansOf = (text: string): string =>
  [...text.replaceAll(FENCED, '').matchAll(SPAN)].map(([, code]) => code).join('\n');
/** What a reader types: spans, shell blocks, and after a prompt. */
const typedOf = (text: string): string =>
  [
    spansOf(text),
    ...[...text.matchAll(FENCED)].map(([block]) =>
      /^ *```sh\n/.test(block) ? block : [...block.matchAll(/^ *\$ .*/gm)].join('\n'),
    ),
  ].join('\n');

/** As GitHub makes them from headings; of two alike the second has a number. */
function anchorsOf(text: string): ReadonlySet<string> {
  const counts = new Map<string, number>();
  return new Set(
    [...text.replaceAll(FENCED, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => {
      const anchor = heading!
        .trim()
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(' ', '-');
      const before = counts.get(anchor) ?? 0;
      counts.set(anchor, before + 1);
      return before === 0 ? anchor : `${anchor}-${before}`;
    }),
  );
}

// Writes docs/events.md, docs/errors.md, docs/config.md and docs/machines/ from what they describe, and copies examples
// into the pages that show them.
//   node scripts/docs.ts           writes them
//   node scripts/docs.ts --check   exits 1 and names what is out of date
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EVENTS } from '../src/bus/index.ts';
import type { EventRow, Field } from '../src/bus/index.ts';
import { ERRORS } from '../src/errors.ts';
import type { ErrorRow } from '../src/errors.ts';
import { configPage } from './config-page.ts';
import { pagesWithCopies } from './copied.ts';
import { machinePages } from './machine-pages.ts';
import { anchor, code, page, table } from './markdown.ts';

/** Any table of events: the catalogue is one. */
export function eventsPage(events: Readonly<Record<string, EventRow>> = EVENTS): string {
  const groups = Map.groupBy(Object.entries(events), ([type]) => type.split('.')[0] ?? type);
  const sections = [...groups].flatMap(([prefix, rows]) => [
    `## ${prefix}`,
    ...rows.map(([type, row]) => eventSection(type, row)),
  ]);
  return page(
    '# Facts',
    [
      'Everything worth knowing is published as a fact. This is the catalogue: `src/bus/events.ts`.',
      '',
      'Every fact comes in an envelope: `seq` (counts per gateway from 1), `ts` (epoch milliseconds), `type`, `severity`, and, where they are known,',
      '`traceId`, `spanId`, `parentSpanId`, and the `path` and `incarnation` of the actor it comes from. `data` holds the fields below.',
      'A name that ends in `Ms` is a duration in milliseconds. An `error` is `{ name, message, code?, stack?, cause? }`, bounded in size.',
    ].join('\n'),
    table(
      ['fact', 'severity', ''],
      Object.entries(events).map(([type, row]) => [`[${type}](#${anchor(type)})`, row.severity, row.doc]),
    ),
    ...sections,
  );
}

function eventSection(type: string, row: EventRow): string {
  const fields = Object.entries(row.fields).map(([name, field]) => [
    code(name),
    kindOf(field),
    field.optional ? 'may' : 'must',
    field.doc ?? '',
  ]);
  const shown = fields.length > 0 ? table(['field', 'kind', '', ''], fields) : 'No fields.';
  return `### ${type}\n\n${row.doc} Severity: ${row.severity}.\n\n${shown}`;
}

function kindOf({ kind, unit }: Field): string {
  const shown = Array.isArray(kind) ? kind.map(code).join(', ') : String(kind);
  return unit === undefined ? shown : `${shown} (${unit})`;
}

export function errorsPage(errors: Readonly<Record<string, ErrorRow>> = ERRORS): string {
  const families = Map.groupBy(Object.entries(errors), ([name]) => name.split('_')[0] ?? name);
  const alone = [...families].filter(([, rows]) => rows.length === 1).flatMap(([, rows]) => rows);
  const groups = [...families]
    .filter(([, rows]) => rows.length > 1)
    .map(([prefix, rows]) => [`COPPICE_${prefix}`, rows] as const);
  const sections = [['In general', alone] as const, ...groups].flatMap(([title, rows]) => [
    `## ${title}`,
    ...rows.map(([name, row]) => errorSection(name, row)),
  ]);
  return page(
    '# Errors',
    'Every error coppice shows has a stable code, says what failed and what can be done about it. The table: `src/errors.ts`. Words in braces are filled in.',
    ...sections,
  );
}

function errorSection(name: string, { severity, template, remedy, retryable }: ErrorRow): string {
  const again = retryable ? ' The same request may succeed later.' : '';
  return `### COPPICE_${name}\n\nSeverity: ${severity}.${again}\n\n\`\`\`text\n${template}\n\`\`\`\n\n${remedy}`;
}

export const PAGES: Readonly<Record<string, () => string>> = {
  'docs/events.md': eventsPage,
  'docs/errors.md': errorsPage,
  'docs/config.md': configPage,
  ...machinePages(),
  ...pagesWithCopies(),
};

/** The pages under `root` that are not what the tables say. */
export function stalePages(root: string): string[] {
  return Object.entries(PAGES).flatMap(([path, make]) => (read(join(root, path)) === make() ? [] : [path]));
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function main(root: string, check: boolean): number {
  const stale = stalePages(root);
  if (check && stale.length > 0) {
    console.error(`out of date: ${stale.join(', ')}. Run: node scripts/docs.ts`);
    return 1;
  }
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), PAGES[path]?.() ?? '');
    console.log(`wrote ${path}`);
  }
  return 0;
}

if (import.meta.main) {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  process.exitCode = main(root, process.argv.includes('--check'));
}

// Writes docs/events.md, docs/errors.md, docs/config.md and docs/machines/ from what they describe, and copies examples
// into the pages that show them.
//   node scripts/docs.ts           writes them
//   node scripts/docs.ts --check   exits 1 and names what is out of date
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EVENTS } from '../src/bus/index.ts';
import type { EventRow, Field } from '../src/bus/index.ts';
import {
  configSchema,
  DEFAULT_MODELS,
  defaultOf,
  envKeys,
  leaves,
  metaOf,
  optionsOf,
  typeOf,
} from '../src/config/index.ts';
import { ERRORS } from '../src/errors.ts';
import type { ErrorRow } from '../src/errors.ts';
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

export function configPage(): string {
  const variables = new Map<string, string[]>();
  for (const [name, key] of envKeys())
    variables.set(key.path.join('.'), [...(variables.get(key.path.join('.')) ?? []), name]);
  const groups = Map.groupBy(leaves(configSchema), (key) => key.path[0] ?? '');
  const sections = [...groups].map(([name, keys]) => {
    const rows = keys.map(({ path, schema }) => {
      const dotted = path.join('.').replaceAll('.[]', '[]');
      return [
        code(dotted),
        typeName(schema),
        defaultText(schema),
        (variables.get(path.join('.')) ?? []).map(code).join(' '),
        metaOf(schema).description ?? '',
      ];
    });
    return `## ${name}\n\n${table(['key', 'type', 'default', 'variable', ''], rows)}`;
  });
  return page(
    '# Configuration',
    [
      'JSON with comments and trailing commas, in `--config`, else `COPPICE_CONFIG`, else `$XDG_CONFIG_HOME/coppice/config.jsonc` (`~/.config/coppice/config.jsonc`).',
      'A missing file is fine: everything has a default.',
      '',
      'Later layers win: defaults, the file, the environment, the command line. An unknown key or `COPPICE_` variable is an error that names the nearest known one,',
      'and all mistakes are told at once with file, line and column.',
      '',
      'A **secret** is a literal, `env:NAME`, or `file:PATH` (relative to the folder of the configuration); it is never printed.',
      'A **duration** is `30m`, `60s`, `1h30m`, `500ms` or a number. `NAME` stands for a name of your choice, `[]` for each entry of a list.',
      '',
      'With no provider configured, a key in the environment adds its provider, with the model below where none is named. With both keys the first row',
      'is the primary and the other its fallback, unless a primary is named. With no key either, the built-in `loopback/echo` answers.',
    ].join('\n'),
    table(
      ['variable', 'provider', 'api', 'model', 'because it is'],
      DEFAULT_MODELS.map(({ key, provider, api, model, why }) => [
        code(key),
        code(provider),
        code(api),
        code(`${provider}/${model}`),
        why,
      ]),
    ),
    ...sections,
  );
}

type Schema = Parameters<typeof typeOf>[0];

function typeName(schema: Schema): string {
  const { secret, kind } = metaOf(schema);
  if (secret) return 'secret';
  if (kind) return kind;
  const options = optionsOf(schema);
  if (options.length > 0) return options.map(code).join(', ');
  return { array: 'list', record: 'map', object: 'map' }[typeOf(schema)] ?? typeOf(schema);
}

function defaultText(schema: Schema): string {
  const value = defaultOf(schema);
  return value === undefined ? '' : code(JSON.stringify(value));
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

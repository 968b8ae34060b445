/** docs/config.md, from the schema of the configuration and what is known of each key. */
import {
  changeOf,
  configSchema,
  DEFAULT_MODELS,
  defaultOf,
  envKeys,
  isEffective,
  leaves,
  metaOf,
  optionsOf,
  typeOf,
} from '../src/config/index.ts';
import type { Effect } from '../src/config/index.ts';
import { code, page, table } from './markdown.ts';

type Key = ReturnType<typeof leaves>[number];
type Schema = Key['schema'];

const INTRODUCTION = [
  'JSON with comments and trailing commas, in `--config`, else `COPPICE_CONFIG`, else `$XDG_CONFIG_HOME/coppice/config.jsonc` (`~/.config/coppice/config.jsonc`).',
  'A missing file is fine: everything has a default. `coppice config show --origin` prints what is in force and who said it, `coppice config check` what is wrong with a file,',
  '`coppice config set KEY VALUE` changes one key, and `coppice config schema` prints a JSON Schema for editors.',
  '',
  'Later layers win: defaults, the file, the environment, the command line. An unknown key or `COPPICE_` variable is an error that names the nearest known one,',
  'and all mistakes are told at once with file, line and column.',
  '',
  'A **secret** is a literal, `env:NAME`, or `file:PATH` (relative to the folder of the configuration); it is never printed.',
  'A **duration** is `30m`, `60s`, `1h30m`, `500ms` or a number. `NAME` stands for a name of your choice, `[]` for each entry of a list.',
  '',
  'A **change** of a key takes effect at once when the file is read again (SIGHUP), with a planned restart that follows by itself, or when the launcher is stopped and started:',
  'see [operations](operations.md#changes-of-the-configuration).',
  '',
  'With no provider configured, a key in the environment adds its provider, with the model below where none is named. With both keys the first row',
  'is the primary and the other its fallback, unless a primary is named. With no key either, the built-in `loopback/echo` answers.',
].join('\n');

const CHANGES: Readonly<Record<Effect, string>> = {
  live: 'at once',
  restart: 'restart',
  stop: 'stop, start',
};

export function configPage(): string {
  const [effective, others] = [true, false].map((wanted) =>
    leaves(configSchema).filter(({ path }) => isEffective(path) === wanted),
  ) as [Key[], Key[]];
  const groups = Map.groupBy(effective, ({ path }) => path[0] ?? '');
  return page(
    '# Configuration',
    INTRODUCTION,
    modelTable(),
    ...[...groups].flatMap(([name, keys]) => [`## ${name}`, ...aboutNames(name), keyTable(keys)]),
    '## Without effect so far',
    'These are accepted and checked, so that a file can be written once. A start that finds one of them warns of it.',
    table(
      ['key', 'type', ''],
      others.map(({ path, schema }) => [dotted(path), typeName(schema), metaOf(schema).description ?? '']),
    ),
  );
}

/** What the names of a group are that takes any. */
function aboutNames(group: string): string[] {
  const schema = configSchema.shape[group as keyof typeof configSchema.shape];
  const { description } = metaOf(schema);
  return typeOf(schema) === 'record' && description !== undefined ? [description] : [];
}

function modelTable(): string {
  return table(
    ['variable', 'provider', 'api', 'model', 'because it is'],
    DEFAULT_MODELS.map(({ key, provider, api, model, why }) => [
      code(key),
      code(provider),
      code(api),
      code(`${provider}/${model}`),
      why,
    ]),
  );
}

function keyTable(keys: readonly Key[]): string {
  const variables = Map.groupBy(envKeys(), ([, { path }]) => path.join('.'));
  return table(
    ['key', 'type', 'default', 'variable', 'a change', ''],
    keys.map(({ path, schema }) => [
      dotted(path),
      typeName(schema),
      defaultText(schema),
      (variables.get(path.join('.')) ?? []).map(([name]) => code(name)).join(' '),
      CHANGES[changeOf(path)],
      metaOf(schema).description ?? '',
    ]),
  );
}

const dotted = (path: readonly string[]): string => code(path.join('.').replaceAll('.[]', '[]'));

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

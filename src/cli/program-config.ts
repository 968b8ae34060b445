import type { Command } from 'commander';
import { command, type Done } from './command.ts';
import type { Io } from './io.ts';

const load = () => import('./commands/config.ts');

/** `coppice config ...`: all of it works without a gateway. */
export function addConfigCommands(program: Command, io: Io, done: Done): void {
  const config = program
    .command('config')
    .description('Show, check and change the configuration. Needs no running gateway.')
    .addHelpText('after', '\nExample:\n  coppice config show --origin\n');
  const add = (name: string, description: string, example: string): Command =>
    command(config, name, description, example).option(
      '--config <file>',
      'the configuration file (default: COPPICE_CONFIG, else ~/.config/coppice/config.jsonc)',
    );

  add(
    'show',
    'Print the configuration in force; of secrets only that they are set.',
    'coppice config show gateway --origin',
  )
    .argument('[path]', 'only this key, such as gateway.auth or agents.list[0]')
    .option('--origin', 'also who said each value, and where')
    .action(async (path: string | undefined, options: object) =>
      done((await load()).show(io, path, options)),
    );
  add(
    'check',
    'Say whether a configuration is valid; ends with 78 when it is not.',
    'coppice config check ./config.jsonc',
  )
    .argument('[file]', 'another file than the one that would be used')
    .action(async (file: string | undefined, options: object) =>
      done((await load()).check(io, file, options)),
    );
  add(
    'set',
    'Change one key in the file. Comments and formatting stay; the text before is kept beside it as .bak.',
    'coppice config set agents.defaults.model.primary ollama/qwen3',
  )
    .argument('<path>', 'the key, such as lanes.main.maxConcurrent')
    .argument('<value>', 'JSON, or bare text')
    .action(async (path: string, value: string, options: object) =>
      done((await load()).set(io, path, value, options)),
    );
  add(
    'unset',
    'Take one key out of the file, so that its default holds again.',
    'coppice config unset gateway.port',
  )
    .argument('<path>', 'the key')
    .action(async (path: string, options: object) => done((await load()).unset(io, path, options)));
  add(
    'schema',
    'Print the JSON Schema of the file, for editors: name it under "$schema".',
    'coppice config schema > coppice.schema.json',
  ).action(async (options: object) => done((await load()).schema(io, options)));
  add(
    'import',
    'Carry over the configuration of another gateway: says what it takes and what not. Writes with --write only.',
    'coppice config import ~/.openclaw/openclaw.json --write',
  )
    .argument('<file>', 'the file to carry over')
    .option('--write', 'write the result to the configuration file, if there is none yet')
    .action(async (file: string, options: object) => done((await load()).importFile(io, file, options)));
}

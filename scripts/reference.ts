// The API reference of every public door, as HTML in docs/reference (which git ignores), from the docstrings.
//   node scripts/reference.ts           writes it; exits 1 with any warning
//   node scripts/reference.ts --check   only looks: exits 1 and names every export without a docstring
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  Application,
  Converter,
  LogLevel,
  ReflectionKind,
  UnknownType,
  type Context,
  type DeclarationReflection,
  type ProjectReflection,
} from 'typedoc';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** The source behind each door of package.json: `./machines` is built from `src/machines/index.ts`. */
function doors(): string[] {
  const { exports: rows } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { readonly default: string }>;
  };
  return Object.values(rows)
    .flatMap((row) => (typeof row === 'string' ? [] : [row.default]))
    .map((built) => join(ROOT, built.replace('./dist/', 'src/').replace(/\.js$/, '.ts')));
}

const bootstrap = (): Promise<Application> =>
  Application.bootstrap({
    name: 'coppice',
    entryPoints: doors(),
    tsconfig: join(ROOT, 'tsconfig.json'),
    out: join(ROOT, 'docs/reference'),
    readme: 'none',
    disableGit: true,
    disableSources: true,
    logLevel: LogLevel.Warn,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    // The compiler has a suite of its own.
    skipErrorChecking: true,
    validation: { notDocumented: false, notExported: false, invalidLink: true },
  });

/**
 * The inferred type of a statechart is the whole chart, twice (its `withEffects` returns it again): pages that nobody
 * can read. `docs/machines/` draws what it says.
 */
function shortenMachines({ project }: Context): void {
  const spelled = project.getReflectionsByKind(ReflectionKind.Variable | ReflectionKind.CallSignature);
  for (const reflection of spelled as (DeclarationReflection & { type?: UnknownType })[]) {
    if (!/Machine$|^withEffects$/.test(reflection.name) || reflection.type === undefined) continue;
    project.removeTypeReflections(reflection.type);
    reflection.type = new UnknownType('StateMachine');
  }
}

/** Every name behind a door that no docstring explains: what is exported, and what is exported inside a namespace. */
function unexplained(project: ProjectReflection): string[] {
  const parts = ReflectionKind.Module | ReflectionKind.Namespace;
  const exported = project
    .getReflectionsByKind(parts)
    .flatMap((part) => (part as DeclarationReflection).children ?? [])
    .filter(({ kind }) => kind !== ReflectionKind.Reference && kind !== ReflectionKind.Namespace);
  return exported.filter((one) => !isExplained(one)).map((one) => one.getFullName());
}

const isExplained = (one: DeclarationReflection): boolean =>
  one.hasComment() || (one.signatures ?? []).some((signature) => signature.hasComment());

async function main(check: boolean): Promise<number> {
  const app = await bootstrap();
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, shortenMachines);
  const project = await app.convert();
  if (!project) return 1;
  app.validate(project);
  const silent = unexplained(project);
  for (const name of silent) console.error(`${name} is exported and has no docstring`);
  if (!check) await app.generateOutputs(project);
  return silent.length > 0 || app.logger.hasErrors() || app.logger.hasWarnings() ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.includes('--check'));

/** The floor of a start and of idle memory: a process that imports the packages of the gateway and does nothing. */
import { join } from 'node:path/posix';
import { type Part, startPart } from '../../src/cli/bench/part.ts';
import type { Io } from '../../src/cli/io.ts';
import { imports, type Source, sources } from '../../test/tidy/parsed.ts';

/** Where the gateway process begins. What it imports later, and only when it needs it, is not followed. */
const ENTRIES = ['src/cli/main.ts', 'src/cli/commands/run.ts', 'src/cli/run.ts'];

export function startBare(io: Io, packages: readonly string[]): Promise<Part> {
  const urls = packages.map((name) => import.meta.resolve(name));
  const code = `await Promise.all(${JSON.stringify(urls)}.map((url) => import(url)));
    process.stdout.write('ready');
    process.stdin.resume().on('end', () => process.exit());`;
  return startPart(io, ['--input-type=module', '--eval', code]);
}

/** Every package and module of Node that starting a gateway imports, read from its sources. */
export function gatewayImports(): string[] {
  const files = new Map(sources('src').map((source) => [source.path, source]));
  const seen = new Set<string>();
  const found = new Set<string>();
  const visit = (path: string): void => {
    const source = files.get(path);
    if (!source || seen.has(path)) return;
    seen.add(path);
    for (const from of importedAtOnce(source)) {
      if (from.startsWith('.')) visit(join(path, '..', from));
      else found.add(from);
    }
  };
  for (const entry of ENTRIES) visit(entry);
  return [...found].toSorted();
}

/** An import that is asked for in a function is asked for later; those stand inside a call. */
function importedAtOnce(source: Source): string[] {
  const { text } = source.ast;
  return imports(source)
    .filter(({ from, typeOnly }) => !typeOnly && !text.includes(`import('${from}')`))
    .map(({ from }) => from);
}

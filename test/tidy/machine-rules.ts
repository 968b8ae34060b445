import { basename, dirname, join } from 'node:path/posix';
import ts from 'typescript';
import { nodes } from './parsed.ts';
import type { Source } from './parsed.ts';

/** What every file of a pure room that exports a `...Machine` owes to its hosts and to the test generator. */
export function machineFaults(files: readonly Source[]): string[] {
  return files
    .filter(({ path }) => /^src\/(?:machines|supervisor)\//.test(path))
    .flatMap((file) => {
      const names = exportsOf(file, files);
      if (!names.some((name) => /^[a-z]\w*Machine$/.test(name))) return [];
      return DUTIES.flatMap((duty) => (duty.isMet(names, file) ? [] : [`${file.path} ${duty.fault}`]));
    });
}

interface Duty {
  isMet(names: readonly string[], file: Source): boolean;
  readonly fault: string;
}

const DUTIES: readonly Duty[] = [
  {
    isMet: (names) => names.includes('withEffects'),
    fault:
      'exports a machine without `withEffects`. It is the one door by which a host hands in effects, and what makes a forgotten one fail by name: export it, even if there is nothing to hand in.',
  },
  {
    isMet: (names) => names.includes('examples'),
    fault:
      'exports a machine without `examples`. The paths that test it are derived from them; without, no generated test ever reaches it: export one plain event of every type.',
  },
  {
    isMet: (names, file) => names.includes(`${pascal(basename(file.path, '.ts'))}Input`),
    fault:
      'exports a machine without its Input type. A host must be able to write down what it starts the machine with: export it under the name of the file and "Input".',
  },
  {
    isMet: (_, file) => calls(file, 'createMachine').every(hasMaxIterations),
    fault:
      'creates a machine without `maxIterations`. A loop of `always` or `raise` hangs the whole process then: set options.maxIterations from LIMITS.',
  },
  {
    isMet: (_, file) => !(ownsChildren(file) && hasStar(file)),
    fault:
      "has a '*' transition and owns children. The star swallows the errors of its children, so that nobody hears of their death: name the events.",
  },
];

const pascal = (kebab: string): string =>
  kebab.replaceAll(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());

const calls = (file: Source, name: string): ts.CallExpression[] =>
  [...nodes(file.ast)].filter(
    (node): node is ts.CallExpression =>
      ts.isCallExpression(node) && new RegExp(`(^|\\.)${name}$`).test(node.expression.getText()),
  );

/** `options: { maxIterations }` of the machine's own configuration, not a word of it somewhere. */
function hasMaxIterations(call: ts.CallExpression): boolean {
  const [config] = call.arguments;
  const options = config && ts.isObjectLiteralExpression(config) ? member(config, 'options') : undefined;
  return (
    options !== undefined &&
    ts.isObjectLiteralExpression(options) &&
    member(options, 'maxIterations') !== undefined
  );
}

function member(object: ts.ObjectLiteralExpression, name: string): ts.Expression | undefined {
  const found = object.properties.find((property) => property.name?.getText() === name);
  return found && ts.isPropertyAssignment(found) ? found.initializer : undefined;
}

const ownsChildren = (file: Source): boolean =>
  calls(file, 'spawnChild').length + calls(file, 'spawn').length > 0 || keys(file).includes('invoke');

const hasStar = (file: Source): boolean => keys(file).some((key) => /^['"]\*['"]$/.test(key));

const keys = (file: Source): string[] =>
  [...nodes(file.ast)].filter((node) => ts.isPropertyAssignment(node)).map((node) => node.name.getText());

/** The names a file exports, those it passes on from other files included. */
function exportsOf({ path, ast }: Source, files: readonly Source[]): string[] {
  return ast.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) return passedOn(statement, path, files);
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ? declared(statement) : [];
  });
}

function passedOn(
  { exportClause, moduleSpecifier }: ts.ExportDeclaration,
  path: string,
  files: readonly Source[],
): string[] {
  if (exportClause)
    return ts.isNamedExports(exportClause) ? exportClause.elements.map(({ name }) => name.text) : [];
  if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) return [];
  const from = join(dirname(path), moduleSpecifier.text);
  return files.filter((file) => file.path === from).flatMap((file) => exportsOf(file, files));
}

function declared(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  const { name } = statement as ts.Statement & { readonly name?: ts.Identifier };
  return name ? [name.text] : [];
}

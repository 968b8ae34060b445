import ts from 'typescript';
import { imports, lineOf, nodes } from './parsed.ts';
import type { Source } from './parsed.ts';

/** Rules about whole files. Each takes files and answers with sentences, one a fault. */
export interface Permit {
  readonly path: string;
  /** The text that is allowed there. */
  readonly text: string;
  readonly why: string;
}

const each = (
  files: readonly Source[],
  find: (node: ts.Node, file: Source) => string | undefined,
): string[] => files.flatMap((file) => [...nodes(file.ast)].flatMap((node) => find(node, file) ?? []));

const at = (file: Source, node: ts.Node): string => `${file.path}:${lineOf(file, node)}`;

// -- imports

/** Packages that whoever installs coppice would not get. */
export function undeclaredFaults(files: readonly Source[], dependencies: readonly string[]): string[] {
  return files.flatMap((file) =>
    imports(file)
      .filter(({ from }) => !/^(\.|node:)/.test(from) && !dependencies.includes(packageOf(from)))
      .map(
        ({ from, line }) =>
          `${file.path}:${line} imports ${from}, which is not among the dependencies of package.json. It works in a clone and fails once installed: move it there with its exact version, or do without.`,
      ),
  );
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

// -- failures have owners

/** What `no bare subscribe` of purity.ts does not see: observers that hear values and are deaf to errors. */
export function deafFaults(files: readonly Source[]): string[] {
  return each(files, (node, file) => {
    if (!ts.isCallExpression(node) || lastName(node.expression) !== 'subscribe') return undefined;
    const [observer] = node.arguments;
    if (!observer || !ts.isObjectLiteralExpression(observer) || !isDeaf(observer)) return undefined;
    return `${at(file, node)} subscribes without an \`error\` listener. XState throws the crash of that actor at the process then, although its supervisor handles it: add \`error\`.`;
  });
}

function isDeaf(observer: ts.ObjectLiteralExpression): boolean {
  const names = observer.properties.map((property) => property.name?.getText());
  return (names.includes('next') || names.includes('complete')) && !names.includes('error');
}

/** `.catch(() => {})`: the empty catch of promises. */
export function swallowFaults(files: readonly Source[], permits: readonly Permit[]): string[] {
  return each(files, (node, file) => {
    if (!ts.isCallExpression(node) || !isHandler(node) || isPermitted(permits, file, node)) return undefined;
    const nothing = node.arguments.at(lastName(node.expression) === 'then' ? 1 : 0);
    if (!nothing || !isEmptyFunction(nothing)) return undefined;
    return `${at(file, node)} swallows a rejection. An error nobody hears of has no owner: handle it, report it as a fact, or return what the caller needs to know.`;
  });
}

const isHandler = (node: ts.CallExpression): boolean =>
  ts.isPropertyAccessExpression(node.expression) && ['catch', 'then'].includes(node.expression.name.text);

const isEmptyFunction = (node: ts.Node): boolean =>
  ts.isArrowFunction(node) &&
  ((ts.isBlock(node.body) && node.body.statements.length === 0) || node.body.getText() === 'undefined');

const lastName = (node: ts.Expression): string | undefined =>
  ts.isPropertyAccessExpression(node) ? node.name.text : undefined;

const isPermitted = (permits: readonly Permit[], file: Source, node: ts.Node): boolean =>
  permits.some((permit) => permit.path === file.path && node.getText().includes(permit.text));

/** Permissions that nobody uses any more: each hides the next fault in that place. */
export function staleFaults(files: readonly Source[], permits: readonly Permit[]): string[] {
  return permits
    .filter(({ path, text }) => !files.some((file) => file.path === path && file.ast.text.includes(text)))
    .map(({ path, text }) => `${path} no longer says \`${text}\`: delete that permission from test/tidy.`);
}

// -- names, sizes, leftovers

export function nameFaults(files: readonly Source[]): string[] {
  return files
    .filter(({ path }) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.tsx?$/.test(path.split('/').at(-1)!))
    .map(({ path }) => `${path}: file names are nouns in kebab-case, so that one can guess them: rename it.`);
}

export const LONGEST = 350;

export function lengthFaults(files: readonly Source[], tables: readonly Permit[]): string[] {
  return files.flatMap(({ path, ast }) => {
    const lines = ast.text.trimEnd().split('\n').length;
    if (lines <= LONGEST || tables.some((table) => table.path === path)) return [];
    return [
      `${path} has ${lines} lines. Past ${LONGEST} a file holds more than one noun and nobody reads it whole: find the second noun and give it a file.`,
    ];
  });
}

export function leftoverFaults(files: readonly Source[]): string[] {
  return files.flatMap((file) =>
    file.ast.text.split('\n').flatMap((line, index) => {
      const mark = /\b(TODO|FIXME|XXX|HACK)\b/.exec(line)?.[0];
      return mark
        ? [
            `${file.path}:${index + 1} says ${mark}. What is not done is not in the tree: do it, or write an issue and delete the mark.`,
          ]
        : [];
    }),
  );
}

/** `skipIf` and `runIf` carry their reason: it is the condition. */
export function skippedTestFaults(files: readonly Source[]): string[] {
  return each(files, (node, file) => {
    if (
      !ts.isPropertyAccessExpression(node) ||
      !/^(test|it|describe|suite)\b/.test(node.expression.getText())
    )
      return undefined;
    const { text } = node.name;
    if (text === 'only')
      return `${at(file, node)} runs one test \`only\`. The others are green because they do not run: take it out.`;
    if (!/^(skip|todo|fails)$/.test(text) || hasReason(file, node)) return undefined;
    return `${at(file, node)} uses \`${text}\` without a reason. A test that does not run proves nothing, and nobody knows when it may again: say why in a comment above it.`;
  });
}

function hasReason(file: Source, node: ts.Node): boolean {
  const lines = file.ast.text.split('\n');
  const line = lineOf(file, node) - 1;
  return [lines[line - 1], lines[line]].some((text) => /\/\/ .{10,}|\*\/\s*$/.test(text ?? ''));
}

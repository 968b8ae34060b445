/** What the source of a machine says beyond its code: docstrings, the types of its effects, the facts it emits. */
import { fileURLToPath } from 'node:url';
import { dirname, join, relative } from 'node:path/posix';
import ts from 'typescript';

const MACHINES = fileURLToPath(new URL('../src/machines', import.meta.url));
/** Where machines are exported from, each as a namespace. */
const INDEXES = ['index.ts', '../supervisor/index.ts'].map((path) => join(MACHINES, path));
/** Shared by all machines; what stands in them is none of one machine's own. */
const COMMON = new Set(['limits.ts', 'effect-missing.ts', 'ending.ts', 'anatomy.ts', 'diagram.ts']);

/** A name, what it is in words of TypeScript, and what its docstring says. */
export interface Described {
  readonly name: string;
  readonly type: string;
  readonly doc: string;
}

export interface MachineSource {
  readonly doc: string;
  readonly input: readonly Described[];
  readonly effects: readonly Described[];
  /** Docstrings by event type, guard name. */
  readonly eventDocs: ReadonlyMap<string, string>;
  readonly guardDocs: ReadonlyMap<string, string>;
  /** Names of the catalogue. */
  readonly facts: readonly string[];
  /** Keys of LIMITS that the machine's own files use, in the order of the table. */
  readonly limits: readonly Described[];
}

export type ReadSource = (name: string) => MachineSource;

/** Reads all of `src/machines` once; needs about two seconds. */
export function readMachines(): ReadSource {
  const program = ts.createProgram({
    rootNames: [...INDEXES, join(MACHINES, '../ambient.d.ts')],
    options: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ['lib.es2023.d.ts'],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      allowImportingTsExtensions: true,
      noEmit: true,
    },
  });
  const checker = program.getTypeChecker();
  const files = roomFiles(program, checker);
  return (name) => sourceOf(name, files, program, checker);
}

/** What an index opens as `export * as NAME from './FILE'`. */
function roomFiles(program: ts.Program, checker: ts.TypeChecker): Map<string, ts.SourceFile> {
  const files = new Map<string, ts.SourceFile>();
  for (const statement of INDEXES.flatMap((path) => fileOf(program, path).statements)) {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause) continue;
    const file = importedFile(statement.moduleSpecifier, checker);
    if (ts.isNamespaceExport(statement.exportClause) && file)
      files.set(statement.exportClause.name.text, file);
  }
  return files;
}

const importedFile = (
  specifier: ts.Expression | undefined,
  checker: ts.TypeChecker,
): ts.SourceFile | undefined =>
  specifier && checker.getSymbolAtLocation(specifier)?.declarations?.find(ts.isSourceFile);

function sourceOf(
  name: string,
  rooms: ReadonlyMap<string, ts.SourceFile>,
  program: ts.Program,
  checker: ts.TypeChecker,
): MachineSource {
  const file = rooms.get(name);
  if (!file) throw new Error(`no index exports a machine "${name}"`);
  const exported = new Map(exportsOf(file, checker).map((symbol) => [symbol.name, symbol]));
  const pascal = `${name[0]?.toUpperCase()}${name.slice(1)}`;
  const files = ownFiles(file, new Set(rooms.values()), checker);
  const [machine, input, effects, event] = [
    `${name}Machine`,
    `${pascal}Input`,
    `${pascal}Effects`,
    `${pascal}Event`,
  ].map((one) => exported.get(one));
  return {
    doc: docOf(machine, checker) || docOf(input, checker) || headOf(file),
    input: membersOf(input, checker),
    effects: membersOf(effects, checker),
    eventDocs: new Map(declarationsOf(event).flatMap((one) => eventDocs(one, '', checker, true))),
    guardDocs: guardDocs(files),
    facts: factsOf(files, checker),
    limits: limitsOf(files, program),
  };
}

function fileOf(program: ts.Program, path: string): ts.SourceFile {
  const file = program.getSourceFile(path);
  if (!file) throw new Error(`there is no ${relative(dirname(MACHINES), path)}`);
  return file;
}

function exportsOf(file: ts.SourceFile, checker: ts.TypeChecker): ts.Symbol[] {
  const module = checker.getSymbolAtLocation(file);
  const named = module ? checker.getExportsOfModule(module) : [];
  return named.map((one) => (one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one));
}

const declarationsOf = (symbol: ts.Symbol | undefined): readonly ts.Declaration[] =>
  symbol?.declarations ?? [];

/** One paragraph. */
const flat = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

const docOf = (symbol: ts.Symbol | undefined, checker: ts.TypeChecker): string =>
  symbol ? flat(ts.displayPartsToString(symbol.getDocumentationComment(checker))) : '';

/** The comment at the top of a file, else the first one above what it declares. */
function headOf(file: ts.SourceFile): string {
  const declared = file.statements.find(
    (one) => !ts.isImportDeclaration(one) && !ts.isExportDeclaration(one),
  );
  const [first] = [0, declared?.getFullStart() ?? 0].flatMap(
    (at) => ts.getLeadingCommentRanges(file.text, at) ?? [],
  );
  return first ? words(file.text.slice(first.pos, first.end)) : '';
}

const words = (comment: string): string =>
  flat(
    comment
      .replace(/^\/\*\*?/, '')
      .replace(/\*\/$/, '')
      .replaceAll(/^\s*\*/gm, ''),
  );

/** The file and what it is made of: all it imports for more than types, shared files and other machines aside. */
function ownFiles(
  file: ts.SourceFile,
  rooms: ReadonlySet<ts.SourceFile>,
  checker: ts.TypeChecker,
  seen = new Set<ts.SourceFile>(),
): ts.SourceFile[] {
  seen.add(file);
  for (const statement of file.statements) {
    const next = importedFile(specifierOf(statement), checker);
    if (next && isOwn(next) && !rooms.has(next) && !seen.has(next)) ownFiles(next, rooms, checker, seen);
  }
  return [...seen];
}

const isOwn = ({ fileName }: ts.SourceFile): boolean =>
  fileName.startsWith(`${MACHINES}/`) && !COMMON.has(relative(MACHINES, fileName));

function specifierOf(statement: ts.Statement): ts.Expression | undefined {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly ? undefined : statement.moduleSpecifier;
  if (!ts.isImportDeclaration(statement)) return undefined;
  const typeOnly = statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  return typeOnly ? undefined : statement.moduleSpecifier;
}

function membersOf(symbol: ts.Symbol | undefined, checker: ts.TypeChecker): Described[] {
  if (!symbol) return [];
  return checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).map((member) => ({
    name: member.name,
    type: shapeOf(member),
    doc: docOf(member, checker),
  }));
}

/** As it is written, without the words that say nothing to whoever provides it. */
function shapeOf(member: ts.Symbol): string {
  const [declared] = declarationsOf(member);
  if (!declared) return '';
  if (ts.isPropertySignature(declared))
    return `${flat(declared.type?.getText() ?? '')}${declared.questionToken ? ' (may be left out)' : ''}`;
  if (!ts.isMethodSignature(declared)) return '';
  const given = declared.parameters.map((one) => one.getText()).join(', ');
  return flat(`(${given}) => ${declared.type?.getText() ?? 'void'}`);
}

type Named = readonly [name: string, doc: string];

/** Goes through a union of events, member by member. What is said of `all` is said of none. */
function eventDocs(node: ts.Node, doc: string, checker: ts.TypeChecker, all = false): Named[] {
  const own = (all ? '' : lastOf(ts.getJSDocCommentsAndTags(node))) || doc;
  if (ts.isTypeAliasDeclaration(node)) return eventDocs(node.type, own, checker);
  if (ts.isParenthesizedTypeNode(node)) return eventDocs(node.type, doc, checker);
  if (ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node))
    return node.types.flatMap((one) => eventDocs(one, commentBefore(one) || doc, checker));
  if (ts.isTypeReferenceNode(node)) return referred(node, doc, checker);
  if (ts.isTypeLiteralNode(node) || ts.isInterfaceDeclaration(node)) {
    const type = node.members.find((one) => one.name?.getText() === 'type');
    const literal = type && ts.isPropertySignature(type) ? type.type?.getText() : undefined;
    return literal ? [[literal.replaceAll("'", ''), own]] : [];
  }
  return [];
}

function referred(node: ts.TypeReferenceNode, doc: string, checker: ts.TypeChecker): Named[] {
  const symbol = checker.getSymbolAtLocation(node.typeName);
  const real = symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return declarationsOf(real).flatMap((one) => eventDocs(one, doc, checker));
}

const lastOf = (comments: readonly ts.Node[]): string =>
  comments.length > 0 ? words(comments.at(-1)!.getText()) : '';

/** A comment inside a union stands before the bar. */
function commentBefore(node: ts.Node): string {
  const text = node.getSourceFile().text.slice(node.parent.getFullStart(), node.getStart());
  const [, found] = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)\s*\|?\s*$/.exec(text) ?? [];
  return found === undefined ? '' : words(found);
}

function guardDocs(files: readonly ts.SourceFile[]): Map<string, string> {
  const docs = new Map<string, string>();
  for (const guards of properties(files, 'guards'))
    if (ts.isObjectLiteralExpression(guards.initializer))
      for (const guard of guards.initializer.properties)
        docs.set(guard.name?.getText() ?? '', lastOf(ts.getJSDocCommentsAndTags(guard)));
  return docs;
}

/** The type behind `emitted: {} as ...` in `setup`. */
function factsOf(files: readonly ts.SourceFile[], checker: ts.TypeChecker): string[] {
  const types = properties(files, 'emitted')
    .map(({ initializer }) => initializer)
    .filter((one) => ts.isAsExpression(one))
    .map((one) => checker.getTypeFromTypeNode(one.type));
  const names = types
    .flatMap((type) => (type.isUnion() ? type.types : [type]))
    .map((type) => checker.getPropertyOfType(type, 'type'))
    .filter((property) => property !== undefined)
    .map((property) => checker.getTypeOfSymbol(property))
    .flatMap((type) => (type.isUnion() ? type.types : [type]));
  return names
    .filter((type) => type.isStringLiteral())
    .map(({ value }) => value)
    .toSorted();
}

const properties = (files: readonly ts.SourceFile[], name: string): ts.PropertyAssignment[] =>
  files
    .flatMap((file) => [...nodesOf(file)])
    .filter((node) => ts.isPropertyAssignment(node))
    .filter((node) => node.name.getText() === name);

function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  for (const child of children) yield* nodesOf(child);
}

function limitsOf(files: readonly ts.SourceFile[], program: ts.Program): Described[] {
  const used = new Set(
    files
      .flatMap((file) => [...nodesOf(file)])
      .filter((node) => ts.isPropertyAccessExpression(node))
      .filter(({ expression }) => expression.getText() === 'LIMITS')
      .map(({ name }) => name.text),
  );
  return allLimits(program).filter(({ name }) => used.has(name));
}

function allLimits(program: ts.Program): Described[] {
  const table = [...nodesOf(fileOf(program, join(MACHINES, 'limits.ts')))]
    .filter((node) => ts.isVariableDeclaration(node))
    .find(({ name }) => name.getText() === 'LIMITS');
  const object = table && [...nodesOf(table)].find((node) => ts.isObjectLiteralExpression(node));
  const rows = [...(object?.properties ?? [])].filter((one) => ts.isPropertyAssignment(one));
  return rows.map((one) => ({
    name: one.name.getText(),
    type: one.initializer.getText(),
    doc: lastOf(ts.getJSDocCommentsAndTags(one)),
  }));
}

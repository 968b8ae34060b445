import ts from 'typescript';
import { lineOf, nodes } from './parsed.ts';
import type { Source } from './parsed.ts';

/** What the tables of facts and errors owe to the code and the pages, and these to the tables. */

/** `new CoppiceError('CODE', ...)` with a code the table does not have. */
export function unknownCodes(files: readonly Source[], codes: ReadonlySet<string>): string[] {
  return strings(
    files,
    (node) => ts.isNewExpression(node.parent) && node.parent.expression.getText() === 'CoppiceError',
  )
    .filter(({ text }) => !codes.has(text))
    .map(
      ({ text, at }) =>
        `${at} fails with ${text}, which is no row of src/errors.ts. A code without a row has no remedy: add the row.`,
    );
}

/** Rows of the table of errors that no code of ours names. */
export function unusedCodes(
  files: readonly Source[],
  codes: ReadonlySet<string>,
  elsewhere: Reasons,
): string[] {
  const used = new Set(files.flatMap(namesOf));
  return [...codes]
    .filter((code) => !used.has(code) && elsewhere[code] === undefined)
    .map(
      (code) =>
        `${code} is a row of src/errors.ts that nothing fails with. A promise nobody keeps misleads whoever looks it up: use it or delete it.`,
    );
}

/** Strings and keys; a code travels as either: `refuse('DRAINING')`, `{ STORE_FULL: ... }`. */
const namesOf = (file: Source): string[] =>
  [...nodes(file.ast)].flatMap((node) => {
    if (ts.isStringLiteralLike(node)) return isType(node) ? [] : [node.text];
    return ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) ? [node.name.text] : [];
  });

const isType = (node: ts.Node): boolean => ts.isLiteralTypeNode(node.parent);

export type Reasons = Readonly<Record<string, string>>;

/** Where facts leave: a machine's emit, the bus, and the port by which actors and surfaces report. */
const MOUTHS = new Set(['emit', 'publish', 'report', 'say']);
/** Where events leave for another actor. An event may have the name of a fact and is none. */
const LETTERS = new Set(['send', 'sendTo', 'tell', 'tellGate', 'ask', 'raise', 'reply']);

/** Facts said that the catalogue does not have. Types catch most; a cast does not. */
export function unknownFacts(files: readonly Source[], facts: ReadonlySet<string>): string[] {
  // The supervisor reports in words of its own; telemetry turns them into facts.
  return typed(files.filter(({ path }) => !path.startsWith('src/supervisor/')))
    .filter(({ text, call }) => MOUTHS.has(call) && text.includes('.') && !facts.has(text))
    .map(
      ({ text, at }) =>
        `${at} says ${text}, which is no row of src/bus/events.ts. Nobody can subscribe to what has no row, and no page tells of it: add the row.`,
    );
}

/** Rows of the catalogue that nobody says. */
export function unsaidFacts(files: readonly Source[], facts: ReadonlySet<string>, later: Reasons): string[] {
  const said = new Set(
    typed(files)
      .filter(({ call }) => !LETTERS.has(call))
      .map(({ text }) => text),
  );
  return [...facts]
    .filter((fact) => !said.has(fact) && later[fact] === undefined)
    .map(
      (fact) =>
        `${fact} is a row of src/bus/events.ts that nothing says. Whoever waits for it waits for ever: emit it, delete it, or list it as later in test/tidy/catalogue.test.ts with the reason.`,
    );
}

/** Reasons for what needs none any more: it is said, used, or gone. */
export function staleReasons(
  faultless: readonly string[],
  reasons: Reasons,
  rows: ReadonlySet<string>,
): string[] {
  return Object.keys(reasons)
    .filter((name) => !rows.has(name) || faultless.includes(name))
    .map(
      (name) =>
        `${name} is listed with a reason it no longer needs: delete it from test/tidy/catalogue.test.ts.`,
    );
}

interface Said {
  readonly text: string;
  readonly at: string;
  /** The nearest call around it; '' when there is none. */
  readonly call: string;
}

/** Every `type: 'a.b'` of an object that is made, examples for tests left out. */
function typed(files: readonly Source[]): Said[] {
  return strings(files, (node) => {
    const owner =
      ts.isAsExpression(node.parent) || ts.isConditionalExpression(node.parent)
        ? node.parent.parent
        : node.parent;
    return ts.isPropertyAssignment(owner) && owner.name.getText() === 'type' && !isExample(node);
  });
}

const isExample = (node: ts.Node): boolean =>
  above(node).some(
    (parent) => ts.isVariableDeclaration(parent) && /^examples?([A-Z]|$)/.test(parent.name.getText()),
  );

function strings(files: readonly Source[], wanted: (node: ts.StringLiteralLike) => boolean): Said[] {
  return files.flatMap((file) =>
    [...nodes(file.ast)]
      .filter((node): node is ts.StringLiteralLike => ts.isStringLiteralLike(node) && wanted(node))
      .map((node) => ({ text: node.text, at: `${file.path}:${lineOf(file, node)}`, call: callAround(node) })),
  );
}

function callAround(node: ts.Node): string {
  const call = above(node).find((parent) => ts.isCallExpression(parent));
  if (!call) return '';
  const { expression } = call as ts.CallExpression;
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
}

function above(node: ts.Node): ts.Node[] {
  const parents: ts.Node[] = [];
  for (let parent = node.parent; parent !== undefined; parent = parent.parent) parents.push(parent);
  return parents;
}

/** A page against its table, both ways, by the headings of the page. */
export function pageFaults(page: string, text: string, names: readonly string[]): string[] {
  const told = new Set([...text.matchAll(/^### `?([^`\n]+?)`?$/gm)].map(([, name]) => name!));
  const missing = names.filter((name) => !told.has(name)).map((name) => `${page} does not tell of ${name}`);
  const left = [...told]
    .filter((name) => !names.includes(name))
    .map((name) => `${page} tells of ${name}, which is gone`);
  return [...missing, ...left].map(
    (fault) => `${fault}. The page is made from the table: run \`npm run docs\`.`,
  );
}

/** Advice to run a command that this release does not have. */
export function adviceFaults(
  errors: Readonly<Record<string, { readonly remedy: string }>>,
  commands: ReadonlySet<string>,
): string[] {
  return Object.entries(errors).flatMap(([code, { remedy }]) =>
    [...remedy.matchAll(/`coppice ([a-z]+)/g)]
      .map(([, command]) => command!)
      .filter((command) => !commands.has(command))
      .map(
        (command) =>
          `${code} advises \`coppice ${command}\`, which does not exist. Advice that fails is worse than none: name a command of src/cli/commands, or write this one.`,
      ),
  );
}

import ts from 'typescript';
import { lineOf, nodes } from './parsed.ts';
import type { Source } from './parsed.ts';

/** A rule of the house about single lines: where it holds, what breaks it, and why. */
export interface Rule {
  readonly name: string;
  applies(path: string): boolean;
  /** What it is called there, if this node breaks the rule. */
  broken(node: ts.Node): string | undefined;
  readonly because: string;
  /** Known exceptions, each with its reason. */
  readonly except?: Readonly<Record<string, string>>;
}

const PURE = /^src\/(?:machines|supervisor|bus)\/|^src\/errors\.ts$/;
const TIMERS = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'queueMicrotask',
  'performance',
  'process',
  'structuredClone',
]);

/** A name that stands for the global: not a property, not a key, not a declaration. */
function isGlobalUse(node: ts.Node): node is ts.Identifier {
  if (!ts.isIdentifier(node)) return false;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent))
    return parent.getChildAt(0) === node && !ts.isQualifiedName(parent);
  const declares =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isVariableDeclaration(parent) ||
    ts.isPropertyDeclaration(parent);
  return !(declares && parent.name === node);
}

const isCall = (node: ts.Node, object: string, method: string): boolean =>
  ts.isPropertyAccessExpression(node) &&
  node.name.text === method &&
  ts.isIdentifier(node.expression) &&
  node.expression.text === object;

/** The member of somebody else that is reached for: `ref.x`, `ref['x']`, `const { x } = ref`. */
function memberOf(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return isThis(node.expression) ? undefined : node.name.text;
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression))
    return isThis(node.expression) ? undefined : node.argumentExpression.text;
  if (!ts.isBindingElement(node) || !ts.isObjectBindingPattern(node.parent) || node.dotDotDotToken)
    return undefined;
  const name = node.propertyName ?? node.name;
  return ts.isIdentifier(name) || ts.isStringLiteral(name) ? name.text : undefined;
}

const isThis = (node: ts.Node): boolean => node.kind === ts.SyntaxKind.ThisKeyword;

export const RULES: readonly Rule[] = [
  {
    name: 'no clock, no dice, no timers below the first storey',
    applies: (path) => PURE.test(path),
    broken(node) {
      if (isCall(node, 'Date', 'now')) return 'Date.now';
      if (isCall(node, 'Math', 'random')) return 'Math.random';
      if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length)
        return 'new Date()';
      return isGlobalUse(node) && TIMERS.has(node.text) ? node.text : undefined;
    },
    because:
      'decisions get time, ids and randomness handed in (events with atMs, the clock port, effects), so that they run in a browser, in a simulation and from a seed',
  },
  {
    name: 'no bare subscribe',
    applies: () => true,
    broken(node) {
      if (
        !ts.isCallExpression(node) ||
        !ts.isPropertyAccessExpression(node.expression) ||
        node.expression.name.text !== 'subscribe'
      )
        return undefined;
      const [first] = node.arguments;
      return first && (ts.isArrowFunction(first) || ts.isFunctionExpression(first))
        ? '.subscribe(function)'
        : undefined;
    },
    because:
      'an observer without `error` turns a crash that somebody handled into an uncaughtException; pass { next, error }',
  },
  {
    name: 'no empty catch',
    applies: () => true,
    broken: (node) => (ts.isCatchClause(node) && node.block.statements.length === 0 ? 'catch {}' : undefined),
    because:
      'every failure has an owner: count it, report it, or turn it into an answer (a comment handles nothing)',
  },
  {
    name: 'no console outside the command line',
    applies: (path) => !path.startsWith('src/cli/'),
    broken: (node) => (isGlobalUse(node) && node.text === 'console' ? 'console' : undefined),
    because: 'what is worth saying is a fact; the log is one of its readers',
  },
  {
    name: 'no reaching into the private parts of a library',
    applies: () => true,
    broken(node) {
      const name = memberOf(node);
      return name !== undefined && /^_[a-z]/i.test(name) ? `.${name}` : undefined;
    },
    because:
      'what begins with an underscore may be gone in the next patch release; XState above all is used through its public API',
    except: {
      'src/machines/run-setup.ts ._parent':
        'sendParent throws where there is no parent, and a run is started alone by the path generator and by other hosts',
      'src/testing/paths.ts ._nodes':
        'the active states as nodes; the public value does not lead to their transitions',
      'src/testing/paths.ts ._transitions': 'as in the tap: the transitions a microstep took',
      'src/server/connection.ts ._receiver':
        'ws has no way to raise the limit of a frame once a client has passed the handshake',
      'src/server/connection.ts ._maxPayload':
        'the same; should it go, clients keep the small limit and a test says so',
      'src/cli/listen.ts ._createServerHandle':
        'Node has no public way to bind without listening; where it is missing, the process listens itself',
      'src/bus/tap.ts ._transitions':
        'part of the published type of the @xstate.microstep inspection event, and the only sign of an unhandled event',
    },
  },
];

export function brokenRules(source: Source): string[] {
  const rules = RULES.filter((rule) => rule.applies(source.path));
  return [...nodes(source.ast)].flatMap((node) =>
    rules.flatMap((rule) => {
      const what = rule.broken(node);
      if (what === undefined || rule.except?.[`${source.path} ${what}`] !== undefined) return [];
      return [`${source.path}:${lineOf(source, node)}: ${what}: ${rule.name}. Why: ${rule.because}.`];
    }),
  );
}

const VAGUE = /(?:^|\/)(?:[\w-]+-)?(?:utils?|helpers?|common|core|types|infra|misc|shared)(?:\.|\/|$)/;

/** A file name that says nothing about what is inside. */
export function vagueName(path: string): string | undefined {
  return VAGUE.test(path)
    ? `${path}: a file is named after the noun it holds; a helper lives with its one user, and with two users it has earned a name`
    : undefined;
}

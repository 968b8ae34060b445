import { createContext, runInContext } from 'node:vm';
import ts from 'typescript';
import { describe, expect, test, vi } from 'vitest';
import { bundle, runAtEdge } from '../../scripts/examples.ts';
import { imports, nodes, parse } from '../tidy/parsed.ts';

/** What only Node has. */
const NODE = ['process', 'Buffer', 'require', 'module', 'exports', '__dirname', '__filename', 'setImmediate'];

/** Those of the names that the code uses, except as the name of something of its own or inside `typeof`, which asks first. */
function usesOf(code: string, names: readonly string[]): string[] {
  const ast = ts.createSourceFile('bundle.js', code, ts.ScriptTarget.Latest, true);
  const found = [...nodes(ast)].filter(
    (node): node is ts.Identifier =>
      ts.isIdentifier(node) && !isDeclared(node) && !isMember(node) && !ts.isTypeOfExpression(node.parent),
  );
  const used = new Set(found.map(({ text }) => text));
  return names.filter((name) => used.has(name));
}

function isDeclared(node: ts.Identifier): boolean {
  const { parent } = node;
  const declares =
    ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isFunctionExpression(parent) ||
    ts.isClassDeclaration(parent) ||
    ts.isClassExpression(parent);
  return declares && parent.name === node;
}

function isMember(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  if (ts.isExportSpecifier(parent)) return true;
  const named =
    ts.isPropertyAssignment(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isGetAccessor(parent) ||
    ts.isSetAccessor(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isLabeledStatement(parent) ||
    ts.isBreakOrContinueStatement(parent);
  return named && ('name' in parent ? parent.name === node : true);
}

test('the reader of bundles finds what is used and nothing else', () => {
  const code = `const a = process.env; function f(x) { return x.require ?? typeof Buffer; } ({ module: f, exports() {} });`;
  expect(usesOf(code, NODE)).toEqual(['process']);
});

describe.each(['machines', 'supervisor'])('coppice/%s', (room) => {
  test('bundles for a browser into one file that asks for nothing and names nothing of Node', async () => {
    const code = await bundle(`src/${room}/index.ts`);
    expect(usesOf(code, NODE)).toEqual([]);
    expect(imports(parse('bundle.ts', code))).toEqual([]);
  });

  test('loads where there is nothing but the language', async () => {
    const code = await bundle(`src/${room}/index.ts`, 'iife');
    // A bare context has no timers, no console, no URL.
    const names = runInContext(`${code}\nObject.keys(coppice).join()`, createContext({})) as string;
    expect(names.split(',')).toEqual(
      expect.arrayContaining(
        room === 'machines' ? ['session', 'lane', 'sessionHost'] : ['createSupervision'],
      ),
    );
  });
});

describe('a script where there is no Node', () => {
  test('the world it runs in has none of it, nor a way to it', () => {
    const seen: string[] = [];
    runAtEdge(`console.log([${NODE.map((name) => `typeof ${name}`).join()}].join())`, (line) =>
      seen.push(line),
    );
    expect(seen).toEqual([NODE.map(() => 'undefined').join()]);
    expect(() => runAtEdge(`eval('1')`, () => {})).toThrow();
    expect(() => runAtEdge(`process.exit()`, () => {})).toThrow(/process is not defined/);
  });

  test('examples/edge: two of three work at a time, the one that is killed answers in its next life, all stop', async () => {
    const lines: string[] = [];
    runAtEdge(await bundle('examples/edge/main.ts', 'iife'), (line) => lines.push(line));
    await vi.waitFor(() => expect(lines).toContain('all have stopped'), 30_000);
    expect(JSON.parse(lines.find((line) => line.startsWith('{'))!)).toEqual({
      answers: { ann: 'I heard ann say hello', bob: 'I heard bob say hello', cleo: 'I heard cleo say hello' },
      mostAtOnce: 2,
      lives: [2, 1, 1],
    });
    expect(lines.filter((line) => line.startsWith('child_terminated'))).toEqual([
      'child_terminated edge/ann 1',
    ]);
  });

  test('a bundle that needs more than itself is refused', async () => {
    await expect(bundle('scripts/source-of.ts')).rejects.toThrow(/node:fs/);
  });
});

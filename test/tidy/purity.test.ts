import { describe, expect, test } from 'vitest';
import { brokenRules, RULES, vagueName } from './line-rules.ts';
import { parse, sources } from './parsed.ts';

const all = sources('src').filter(({ path }) => !path.startsWith('src/server/dashboard/'));

test('no file breaks a rule of the house', () => {
  expect(all.flatMap(brokenRules).join('\n')).toBe('');
});

test('every file is named after what it holds', () => {
  expect(all.flatMap(({ path }) => vagueName(path) ?? []).join('\n')).toBe('');
});

test('no exception outlives what it was made for', () => {
  const keys = RULES.flatMap((rule) => Object.keys(rule.except ?? {}));
  const stale = keys.filter((key) => {
    const [path, what = ''] = key.split(' ');
    return !all.some((file) => file.path === path && file.ast.text.includes(what));
  });
  expect(keys.length).toBeGreaterThan(0);
  expect(stale).toEqual([]);
});

describe('a planted violation is caught:', () => {
  test.each([
    ['src/machines/x.ts', 'const t = Date.now();', 'Date.now'],
    ['src/machines/x.ts', 'const t = new Date();', 'new Date()'],
    ['src/supervisor/x.ts', 'const r = Math.random();', 'Math.random'],
    ['src/supervisor/x.ts', 'setTimeout(() => {}, 1);', 'setTimeout'],
    ['src/supervisor/x.ts', 'const later = globalThis.x ?? setImmediate;', 'setImmediate'],
    ['src/bus/x.ts', 'const at = performance.now();', 'performance'],
    ['src/bus/x.ts', 'if (process.env.X) run();', 'process'],
    ['src/errors.ts', 'const t = Date.now();', 'Date.now'],
    ['src/host/x.ts', 'actor.subscribe((snapshot) => use(snapshot));', '.subscribe(function)'],
    ['src/host/x.ts', 'try { run(); } catch {}', 'catch {}'],
    ['src/host/x.ts', 'try { run(); } catch (error) { /* never mind */ }', 'catch {}'],
    ['src/host/x.ts', `console.log('here');`, 'console'],
    ['src/supervisor/x.ts', 'ref._stop();', '._stop'],
    ['src/bus/tap.ts', 'ref._parent;', '._parent'],
    ['src/supervisor/x.ts', "ref['_parent'];", '._parent'],
    ['src/supervisor/x.ts', 'const { _nodes } = snapshot;', '._nodes'],
    ['src/supervisor/x.ts', 'const { _nodes: nodes } = snapshot;', '._nodes'],
  ])('%s: %s', (path, text, what) => {
    expect(brokenRules(parse(path, text))).toEqual([expect.stringContaining(`${path}:1: ${what}: `)]);
  });

  test.each([
    'src/bus/utils.ts',
    'src/store/types.ts',
    'src/host/string-helpers.ts',
    'src/core/x.ts',
    'src/cli/common/x.ts',
  ])('the name %s', (path) => {
    expect(vagueName(path)).toContain(path);
  });
});

describe('what is allowed is not:', () => {
  test.each([
    [
      'src/supervisor/x.ts',
      'clock.setTimeout(run, 5); const c = { setTimeout: run }; interface C { setTimeout(): void }',
    ],
    ['src/machines/x.ts', 'const d = new Date(atMs); const n = Date.UTC(2026, 1);'],
    ['src/bus/tap.ts', 'event._transitions.length;'],
    ['src/host/x.ts', 'actor.subscribe({ next, error }); const t = Date.now(); setTimeout(run, 1);'],
    ['src/cli/x.ts', `console.log('for people');`],
    ['src/server/x.ts', `class C { #x = 1; } log.console = 1;`],
    ['src/supervisor/x.ts', 'const { input: _given, ...spec } = whole; this._own; rows[_index];'],
  ])('%s: %s', (path, text) => {
    expect(brokenRules(parse(path, text))).toEqual([]);
  });

  test('a name that merely contains such a word', () => {
    for (const path of ['src/store/typesetting.ts', 'src/machines/score.ts', 'src/host/commons-port.ts'])
      expect(vagueName(path)).toBeUndefined();
  });
});

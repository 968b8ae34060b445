import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Io } from '../../src/cli/io.ts';
import { createProgram } from '../../src/cli/program.ts';
import { describe, expect, test } from 'vitest';
import { stalePages } from '../../scripts/docs.ts';
import { EVENTS } from '../../src/bus/index.ts';
import { ERRORS } from '../../src/errors.ts';
import {
  adviceFaults,
  pageFaults,
  staleReasons,
  unknownCodes,
  unknownFacts,
  unsaidFacts,
  unusedCodes,
} from './catalogue-rules.ts';
import type { Reasons } from './catalogue-rules.ts';
import { parse, ROOT, sources } from './parsed.ts';

/** Facts that stand in the catalogue before the room that says them. */
const LATER: Reasons = {};

/** Codes that something outside of src fails with. */
const ELSEWHERE: Reasons = {
  NODE_TOO_OLD: 'bin/coppice.js says it; it must run on a Node that cannot read src',
};

const src = sources('src').filter(({ path }) => path !== 'src/errors.ts' && path !== 'src/bus/events.ts');
const facts = new Set(Object.keys(EVENTS));
const codes = new Set(Object.keys(ERRORS));
const page = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

describe('the tables', () => {
  test('are read', () => expect([facts.size > 50, codes.size > 50]).toEqual([true, true]));
  test('have a row for every code that something fails with', () =>
    expect(unknownCodes(src, codes)).toEqual([]));
  test('have no error that nothing fails with', () => expect(unusedCodes(src, codes, ELSEWHERE)).toEqual([]));
  test('have a row for every fact that is said', () => expect(unknownFacts(src, facts)).toEqual([]));
  test('have no fact that nobody says', () => expect(unsaidFacts(src, facts, LATER)).toEqual([]));
  test('advise only what the command line has', () => {
    const silent = { stdout: process.stdout, stderr: process.stderr, stdin: process.stdin, env: {} };
    const commands = createProgram(silent as unknown as Io, () => {}).commands.map((one) => one.name());
    expect(adviceFaults(ERRORS, new Set(commands))).toEqual([]);
  });
  test('need every exception they have', () => {
    const unsaid = unsaidFacts(src, facts, {}).join('\n');
    const unused = unusedCodes(src, codes, {}).join('\n');
    expect(
      staleReasons(
        Object.keys(LATER).filter((fact) => !unsaid.includes(fact)),
        LATER,
        facts,
      ),
    ).toEqual([]);
    expect(
      staleReasons(
        Object.keys(ELSEWHERE).filter((code) => !unused.includes(code)),
        ELSEWHERE,
        codes,
      ),
    ).toEqual([]);
    expect(page('bin/coppice.js')).toContain('COPPICE_NODE_TOO_OLD');
  });
});

describe('the pages', () => {
  test('tell of every fact and of no other', () => {
    expect(pageFaults('docs/events.md', page('docs/events.md'), [...facts])).toEqual([]);
  });
  test('tell of every error and of no other', () => {
    expect(
      pageFaults(
        'docs/errors.md',
        page('docs/errors.md'),
        [...codes].map((code) => `COPPICE_${code}`),
      ),
    ).toEqual([]);
  });
  test('are what scripts/docs.ts makes of the tables', () => expect(stalePages(ROOT)).toEqual([]));
});

describe('a planted violation is caught:', () => {
  const machine = (text: string) => [parse('src/machines/a.ts', text)];
  const known = new Set(['gate.opened']);

  test('a code without a row', () => {
    expect(unknownCodes(machine("throw new CoppiceError('NO_SUCH', {});"), new Set(['USAGE']))).toHaveLength(
      1,
    );
    expect(
      unknownCodes(machine("throw new CoppiceError('USAGE', { reason: 'NO_SUCH' });"), new Set(['USAGE'])),
    ).toEqual([]);
  });
  test('a row no failure has', () => {
    expect(unusedCodes(machine("type Code = 'USAGE';"), new Set(['USAGE']), {})).toHaveLength(1);
    expect(unusedCodes(machine("type Code = 'USAGE';"), new Set(['USAGE']), { USAGE: 'why' })).toEqual([]);
    expect(unusedCodes(machine("refuse('USAGE');"), new Set(['USAGE']), {})).toEqual([]);
    expect(unusedCodes(machine('const by = { USAGE: 2 };'), new Set(['USAGE']), {})).toEqual([]);
  });
  test('a fact without a row', () => {
    expect(unknownFacts(machine("const a = emit({ type: 'gate.ajar' as const });"), known)).toHaveLength(1);
    expect(unknownFacts(machine("enqueue.emit({ type: 'gate.ajar' });"), known)).toHaveLength(1);
    expect(
      unknownFacts(machine("bus.publish({ type: x ? 'gate.opened' : 'gate.ajar' } as never);"), known),
    ).toHaveLength(1);
    expect(unknownFacts(machine("ref.send({ type: 'gate.ajar' }); http.emit('listening');"), known)).toEqual(
      [],
    );
  });
  test('a row nobody says', () => {
    const text =
      "ref.send({ type: 'gate.opened' }); const examples = { a: { type: 'gate.opened' } }; type A = { type: 'gate.opened' };";
    expect(unsaidFacts(machine(text), known, {})).toHaveLength(1);
    expect(unsaidFacts(machine(text), known, { 'gate.opened': 'later' })).toEqual([]);
    expect(unsaidFacts(machine("const opened = emit({ type: 'gate.opened' });"), known, {})).toEqual([]);
    expect(unsaidFacts(machine("return [{ type: 'gate.opened', at }];"), known, {})).toEqual([]);
  });
  test('advice to run what is not there', () => {
    const advice = { A: { remedy: 'Run `coppice mend`, then `coppice status --json`.' } };
    expect(adviceFaults(advice, new Set(['status']))).toEqual([expect.stringContaining('`coppice mend`')]);
    expect(adviceFaults(advice, new Set(['status', 'mend']))).toEqual([]);
  });
  test('an exception that is not needed', () => {
    expect(staleReasons(['a'], { a: 'why' }, new Set(['a']))).toHaveLength(1);
    expect(staleReasons([], { gone: 'why' }, new Set(['a']))).toHaveLength(1);
    expect(staleReasons([], { a: 'why' }, new Set(['a']))).toEqual([]);
  });
  test('a page that lacks a row or keeps a dead one', () => {
    expect(pageFaults('p.md', '# P\n\n### a.b\n\n### `c.d`\n', ['a.b', 'c.d'])).toEqual([]);
    expect(pageFaults('p.md', '### a.b\n', ['a.b', 'c.d'])).toEqual([
      expect.stringContaining('does not tell of c.d'),
    ]);
    expect(pageFaults('p.md', '### a.b\n', [])).toEqual([expect.stringContaining('a.b, which is gone')]);
  });
});

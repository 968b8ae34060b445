import { describe, expect, it } from 'vitest';
import {
  coverageJson,
  coverageLcov,
  coverageText,
  generate,
  isComplete,
  mergeCoverage,
  missingIn,
  type Coverage,
} from '../../src/testing/index.ts';
import { trafficLight, wizard } from './strangers.ts';

const next = generate(wizard, { events: [{ type: 'NEXT' }] }).coverage;
const set = generate(wizard, {
  events: [{ type: 'SET', name: 'Ann', age: 3 }, { type: 'NEXT' }],
  budget: { states: 200 },
}).coverage;
const light = generate(trafficLight).coverage;

describe('the coverage report', () => {
  it('is a table whose columns stand under each other, and below it what is missing by name', () => {
    expect(coverageText([light, next], ['age *', 'done']).split('\n')).toEqual([
      'machine  states    transitions  guards both ways',
      'light    9/9 100%  8/8 100%     0/0 -',
      'wizard   1/3 33%   1/7 14%      1/6 16%',
      '',
      'missing in wizard:',
      '  state       age',
      '  transition  (root) SET',
      '  transition  name NEXT [hasName]',
      '  guard       name NEXT [hasName] never taken',
      '',
    ]);
  });

  it('merges runs: what one missed another may have hit, and hits add up', () => {
    const both = mergeCoverage(next, set);
    expect(missingIn(both).states).toEqual(['done']);
    expect(both.transitions['name NEXT#1']).toBe(
      next.transitions['name NEXT#1']! + set.transitions['name NEXT#1']!,
    );
    expect(both.guards['name NEXT [hasName]']?.taken).toBeGreaterThan(0);
    expect(both.guards['name NEXT [hasName]']?.refused).toBeGreaterThan(0);
    expect(mergeCoverage(next, light)).toEqual(next);
  });

  it('is complete only when nothing is missing but what was declared unreachable', () => {
    expect(isComplete(light)).toBe(true);
    expect(isComplete(next)).toBe(false);
    expect(isComplete(next, ['*'])).toBe(true);
  });

  it('is plain JSON with what is missing', () => {
    expect(JSON.parse(JSON.stringify(coverageJson([next])))).toMatchObject([
      { machine: 'wizard', states: { name: 2 }, missing: { states: ['age', 'done'] } },
    ]);
  });

  it('is an lcov record a machine whose sums agree with its lines', () => {
    const lcov = coverageLcov([light, set], (machine) => `src/${machine}.ts`);
    const records = lcov.split('end_of_record\n').filter((record) => record !== '');
    expect(records).toHaveLength(2);
    expect(records.map((record) => /^SF:(.*)$/m.exec(record)?.[1])).toEqual([
      'src/light.ts',
      'src/wizard.ts',
    ]);
    for (const record of records) {
      const lines = record.split('\n');
      const count = (start: string) => lines.filter((line) => line.startsWith(start)).length;
      const told = (name: string) => Number(new RegExp(`^${name}:(\\d+)$`, 'm').exec(record)?.[1]);
      const hit = (start: string) =>
        lines.filter((line) => line.startsWith(start) && /[1-9]\d*$/.test(line)).length;
      expect([told('LF'), told('BRF'), told('FNF')]).toEqual([count('DA:'), count('BRDA:'), count('FN:')]);
      expect([told('LH'), told('BRH')]).toEqual([hit('DA:'), hit('BRDA:')]);
      expect(told('FNH')).toBe(lines.filter((line) => /^FNDA:[1-9]/.test(line)).length);
    }
    expect(records[1]).toMatch(/^BRDA:\d+,0,1,0$/m);
    expect(records[1]).toMatch(/^BRDA:\d+,0,0,[1-9]/m);
  });

  it('counts a state that is left in the step that enters it', () => {
    const hits: Coverage['states'] = light.states;
    expect(hits['red.stop']).toBe(1);
  });
});

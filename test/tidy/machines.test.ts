import { describe, expect, test } from 'vitest';
import { machineFaults } from './machine-rules.ts';
import { parse, sources } from './parsed.ts';

const machines = [...sources('src/machines'), ...sources('src/supervisor')];

test('every machine can be started by any host and tested by the generator', () => {
  expect(machines.length).toBeGreaterThan(10);
  expect(machineFaults(machines)).toEqual([]);
});

describe('a machine is refused', () => {
  const whole = `export interface GateInput {}
    export const gateMachine = setup({}).createMachine({ id: 'gate', options: { maxIterations: LIMITS.maxIterations }, invoke: { src: 'x' }, on: { a: {} } });
    export const withEffects = () => gateMachine;
    export { examples } from './gate-examples.ts';`;
  const faults = (text: string): string[] => machineFaults([parse('src/machines/gate.ts', text)]);

  test('never when it is whole', () => {
    expect(faults(whole)).toEqual([]);
    const contract = parse('src/machines/gate-contract.ts', 'export interface GateInput {}');
    const machine = whole.replace(
      'export interface GateInput {}',
      "export type * from './gate-contract.ts';",
    );
    expect(machineFaults([parse('src/machines/gate.ts', machine), contract])).toEqual([]);
  });
  test.each([
    ['withEffects', 'export const withEffects', 'const withEffects'],
    ['examples', 'export { examples }', 'import { examples }'],
    ['Input type', 'GateInput', 'DoorInput'],
    ['maxIterations', 'options: { maxIterations: LIMITS.maxIterations }', 'context: { maxIterations: 1 }'],
    ["'*'", 'on: { a: {} }', "on: { '*': {} }"],
    ["'*'", "invoke: { src: 'x' }, on: { a: {} }", "entry: spawnChild('x'), on: { '*': {} }"],
  ])('without its %s in order', (word, right, wrong) => {
    expect(faults(whole)).toEqual([]);
    expect(faults(whole.replace(right, wrong))).toEqual([expect.stringContaining(word)]);
  });
  test('wherever it is pure', () => {
    const inSupervisor = parse(
      'src/supervisor/gate.ts',
      whole.replace('export const withEffects', 'const withEffects'),
    );
    expect(machineFaults([inSupervisor])).toEqual([expect.stringContaining('withEffects')]);
  });
  test('not for a star when it owns nobody, and no file is that holds no machine', () => {
    expect(faults(whole.replace("invoke: { src: 'x' }, on: { a: {} }", "on: { '*': {} }"))).toEqual([]);
    expect(faults('export const limits = 1;')).toEqual([]);
  });
});

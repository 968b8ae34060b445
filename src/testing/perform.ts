import { isAbstraction } from './abstract.ts';
import type { Expected, ExpectOptions, GenerateOptions, Move, Path } from './contract.ts';
import { expectedOf, fullExpect } from './expected.ts';
import type { Model } from './model.ts';
import type { ModelState } from './model-state.ts';
import { aliveNames } from './moves.ts';

/** A list of moves, walked by the model. */
export interface Performance {
  readonly moves: readonly Move[];
  /** One more than moves: the start comes first. */
  readonly states: readonly ModelState[];
}

/** Walks the moves that can happen, one after the other; `skip`: leaves out those that cannot, else stops there. */
export function perform(model: Model, moves: readonly Move[], skip = false): Performance {
  const states = [model.start];
  const done: Move[] = [];
  for (const move of moves) {
    const next = model.take(states.at(-1)!, move);
    if (next === undefined && skip) continue;
    if (next === undefined) break;
    done.push(next.move);
    states.push(next.state);
  }
  return { moves: done, states };
}

/** What each step must show. */
export function pathOf(name: string, { moves, states }: Performance, expect: Required<ExpectOptions>): Path {
  const expected = (index: number): Expected =>
    expectedOf(
      {
        snapshot: states[index]!.snapshot,
        alive: aliveNames(states[index]!),
        effects: states[index]!.effects,
      },
      states[index - 1]?.snapshot,
      expect,
    );
  return {
    name,
    ...unusual(expect),
    start: expected(0),
    steps: moves.map((move, index) => ({ ...move, expected: expected(index + 1) })),
  };
}

/** How expectations are told: what an abstraction drops is not compared either. */
export function expectOf({
  expect,
  serialize,
}: Pick<GenerateOptions, 'expect' | 'serialize'>): Required<ExpectOptions> {
  const drop = expect?.drop ?? (isAbstraction(serialize) ? serialize.drop : []);
  return fullExpect({ ...expect, drop });
}

/** Nothing where it is the default: most paths need not say it. */
function unusual(expect: Required<ExpectOptions>): { expect?: ExpectOptions } {
  const usual = fullExpect();
  const told = Object.entries(expect).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(usual[key as keyof ExpectOptions]),
  );
  return told.length === 0 ? {} : { expect: Object.fromEntries(told) };
}

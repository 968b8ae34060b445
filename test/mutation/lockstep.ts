import type { AnyStateMachine } from 'xstate';
import type { GenerateOptions } from '../../src/testing/contract.ts';
import { differences, expectedOf, fullExpect } from '../../src/testing/expected.ts';
import { createModel } from '../../src/testing/model.ts';
import type { Model } from '../../src/testing/model.ts';
import type { ModelState } from '../../src/testing/model-state.ts';
import { aliveNames } from '../../src/testing/moves.ts';
import { nextTimer } from '../../src/testing/timers.ts';
import { attempt } from './mutant.ts';
import { moveText } from '../../src/testing/index.ts';

const EXPECT = fullExpect({ context: 'full', actions: 'params' });
/** Pairs of states that are looked at. More than any of our machines has within its scenarios. */
const LIMIT = 12_000;

/**
 * Where two machines that are led through the same moves part: every move that is possible for the first, in every
 * state its scenario reaches, in both. Undefined when they never part: as far as the scenario goes they are one machine.
 */
export function firstPart(
  machine: AnyStateMachine,
  other: AnyStateMachine,
  options: GenerateOptions,
): string | undefined {
  const model = createModel(machine, options);
  const made = attempt(() => createModel(other, options));
  if ('refused' in made) return made.refused;
  const twin = made.value;
  const wrong = differ(model.start, twin.start);
  if (wrong !== undefined) return `at the start: ${wrong}`;
  const seen = new Set([model.key(model.start)]);
  const open: [ModelState, ModelState][] = [[model.start, twin.start]];
  for (let pair = open.shift(); pair; pair = open.shift()) {
    const [state, like] = pair;
    if (options.stopWhen?.(state.snapshot) === true) continue;
    const late = partLater(model, twin, state, like);
    if (late !== undefined) return late;
    for (const move of model.moves(state)) {
      const [after, alike] = [model.take(state, move), twin.take(like, move)];
      if (!after) continue;
      const part = alike ? differ(after.state, alike.state, state, like) : 'it cannot happen there';
      if (part !== undefined) return `after ${moveText(move)}: ${part}`;
      if (seen.size < LIMIT && fresh(model, after.state, seen)) open.push([after.state, alike!.state]);
    }
  }
  return undefined;
}

/** The same moves when half the time until the next timer has passed: does one of them begin its wait anew? */
function partLater(model: Model, twin: Model, state: ModelState, like: ModelState): string | undefined {
  const waits = nextTimer(state.timers)?.leftMs ?? 0;
  if (waits < 2) return undefined;
  const [waited, alike] = [waitedIn(state, waits / 2), waitedIn(like, waits / 2)];
  for (const move of model.moves(waited)) {
    if (move.kind === 'after') continue;
    const [one, other] = [model.take(waited, move), twin.take(alike, move)];
    const part = one && other ? differ(one.state, other.state, waited, alike) : undefined;
    if (part !== undefined) return `after ${waits / 2} ms and ${moveText(move)}: ${part}`;
  }
  return undefined;
}

const waitedIn = (state: ModelState, ms: number): ModelState => ({
  ...state,
  timers: state.timers.map((timer) => ({ ...timer, leftMs: timer.leftMs - ms })),
});

function fresh(model: Model, state: ModelState, seen: Set<string>): boolean {
  const key = model.key(state);
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

/** What can be seen of them, and the time until what happens next. */
function differ(
  one: ModelState,
  other: ModelState,
  before?: ModelState,
  beforeOther?: ModelState,
): string | undefined {
  const shown = (state: ModelState, last?: ModelState) =>
    expectedOf(
      { snapshot: state.snapshot, alive: aliveNames(state), effects: state.effects },
      last?.snapshot,
      EXPECT,
    );
  const told = differences(shown(one, before), shown(other, beforeOther));
  const [left, right] = [one, other].map(({ timers }) => timers.map(({ leftMs }) => leftMs).join());
  return [...told, ...(left === right ? [] : [`timers: expected ${left}, got ${right}`])][0];
}

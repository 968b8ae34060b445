import { describe, expect, test } from 'vitest';
import { and, createMachine, fromPromise, not, setup, type AnyStateMachine, type AnyStateNode } from 'xstate';
import { nodesOf, waysOutOf } from '../../src/machines/anatomy.ts';
import { diagram } from '../../src/machines/diagram.ts';
import * as rooms from '../../src/machines/index.ts';
import { lifeCycle } from '../../src/supervisor/index.ts';

const machines = Object.entries({ ...rooms, lifeCycle }).flatMap(([name, room]) => {
  const { [`${name}Machine`]: machine } = room as Readonly<Record<string, unknown>>;
  return machine === undefined ? [] : [[name, machine as AnyStateMachine] as const];
});

interface Drawn {
  /** Ids and the id of the box around each, from the line that declares it. */
  readonly boxes: ReadonlyMap<string, string>;
  readonly arrows: readonly { readonly from: string; readonly to: string; readonly label: string }[];
  /** Lines that are none of Mermaid's state diagram. */
  readonly strange: readonly string[];
  /** States that an arrow speaks of after their box was drawn: Mermaid would move them out of it. */
  readonly moved: readonly string[];
}

/** Reads the part of Mermaid's language we write, as strictly as Mermaid does. */
function read(text: string): Drawn {
  const boxes = new Map<string, string>();
  const arrows: Drawn['arrows'][number][] = [];
  const strange: string[] = [];
  const moved: string[] = [];
  const open: string[] = [];
  const [first, ...lines] = text.trimEnd().split('\n');
  if (first !== 'stateDiagram-v2') strange.push(first ?? '');
  for (const line of lines.map((one) => one.trim())) {
    const state = /^state "[^"]+" as (\w+)( \{)?$/.exec(line);
    const arrow = /^(\w+|\[\*\]) --> (\w+|\[\*\])(?: : ([^:;]+))?$/.exec(line);
    if (state) {
      boxes.set(state[1]!, open.at(-1) ?? '');
      if (state[2]) open.push(state[1]!);
    } else if (arrow) {
      const [, from = '', to = '', label = ''] = arrow;
      arrows.push({ from, to, label });
      for (const id of [from, to])
        if (boxes.has(id) && boxes.get(id) !== (open.at(-1) ?? '')) moved.push(`${id} by ${line}`);
    } else if (line === '}') open.pop();
    else if (line !== '--' && !/^\w+ : [^:;]+$/.test(line)) strange.push(line);
  }
  return { boxes, arrows, strange: [...strange, ...open.map((id) => `${id} is not closed`)], moved };
}

describe.each(machines)('the drawing of %s', (_, machine) => {
  const drawn = read(diagram(machine));
  const nodes = [...nodesOf(machine.root)].filter((node) => node.parent);
  const idOf = (node: AnyStateNode): string => node.path.join('_').replaceAll(/\W/g, '_');

  test('is Mermaid, and no arrow moves a state out of its box', () => {
    expect(drawn.strange).toEqual([]);
    expect(drawn.moved).toEqual([]);
  });
  test('has every state in the box of its parent, and arrows between states alone', () => {
    for (const node of nodes) expect(drawn.boxes.get(idOf(node)), idOf(node)).toBe(idOf(node.parent!));
    const ends = drawn.arrows.flatMap(({ from, to }) => [from, to]).filter((id) => id !== '[*]');
    expect(ends.filter((id) => !drawn.boxes.has(id))).toEqual([]);
  });
  test('has a way out for every transition with a target, and a beginning and an end where there are some', () => {
    const labels = new Set(drawn.arrows.flatMap(({ label }) => label.split('<br/>')));
    for (const node of nodesOf(machine.root))
      for (const { on, guard, delay, targets } of waysOutOf(node)) {
        const shown = [...labels].some(
          (label) =>
            label.startsWith(delay ? `after ${delay}` : on) && label.includes(guard ? `[${guard}]` : ''),
        );
        if (targets.length > 0) expect(shown, `${idOf(node)} ${on}`).toBe(true);
      }
    const count = (type: string): number => nodes.filter((node) => node.type === type).length;
    expect(drawn.arrows.filter(({ to }) => to === '[*]')).toHaveLength(count('final'));
    expect(drawn.arrows.filter(({ from }) => from === '[*]')).toHaveLength(count('compound') + 1);
  });
});

test('a drawing is readable: delays, guards, what runs, regions, what holds anywhere', () => {
  const look = fromPromise(async () => 1);
  const machine = setup({
    actors: { look },
    guards: { warm: () => true, late: () => true },
    delays: { patience: 90_000, backoff: () => 10 },
  }).createMachine({
    id: 'm',
    initial: 'idle',
    on: { stop: '.over' },
    states: {
      idle: {
        on: { go: [{ guard: and(['warm', not('late')]), target: 'busy' }, { target: 'over' }], note: {} },
      },
      busy: {
        type: 'parallel',
        states: {
          left: { initial: 'a', states: { a: { invoke: { src: 'look', onDone: '#m.over' } } } },
          right: {
            initial: 'b',
            states: { b: { after: { patience: 'c', backoff: '#m.busy', 250: 'c' } }, c: {} },
          },
        },
      },
      over: { type: 'final' },
    },
  });
  expect(diagram(machine)).toBe(`stateDiagram-v2
  state "in any state" as __any
  [*] --> idle
  __any --> over : stop
  idle --> busy : go [and(warm, not(late))]
  idle --> over : go [else]
  busy_left_a --> over : done look
  state "idle" as idle
  state "busy" as busy {
    state "left" as busy_left {
      [*] --> busy_left_a
      state "a" as busy_left_a
      busy_left_a : runs look
    }
    --
    state "right" as busy_right {
      [*] --> busy_right_b
      busy_right_b --> busy_right_c : after 250 ms<br/>after 1.5 min (patience)
      busy_right_b --> busy_right_b : after backoff
      state "b" as busy_right_b
      state "c" as busy_right_c
    }
  }
  state "over" as over
  over --> [*]
`);
});

test('names that mean something to Mermaid, or hold what it cannot, are still states', () => {
  const machine = createMachine({
    initial: 'end',
    states: {
      end: { on: { 'say: "hi"; bye': 'a b' } },
      'a b': { on: { x: 'a_b' } },
      a_b: { on: { x: 'note' } },
      note: {},
    },
  });
  const { boxes, arrows, strange } = read(diagram(machine));
  expect(strange).toEqual([]);
  expect([...boxes.keys()]).toEqual(['end_', 'a_b', 'a_b_2', 'note_']);
  expect(arrows.map(({ from, to }) => `${from} > ${to}`)).toEqual([
    '[*] > end_',
    'end_ > a_b',
    'a_b > a_b_2',
    'a_b_2 > note_',
  ]);
});

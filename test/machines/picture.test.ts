import { describe, expect, it } from 'vitest';
import { createMachine, type AnyStateMachine } from 'xstate';
import * as rooms from '../../src/machines/index.ts';

const { picture, session } = rooms;
const machines = Object.entries(rooms).flatMap(([name, room]) => {
  const { [`${name}Machine`]: machine } = room as Readonly<Record<string, unknown>>;
  return machine === undefined ? [] : [[name, machine as AnyStateMachine] as const];
});

/** The boxes of a picture: class, lines of text, place. */
function boxesOf(svg: string) {
  return [...svg.matchAll(/<g class="(state[^"]*)"><rect x="([^"]+)" y="([^"]+)"[^>]*>(.*?)<\/g>/g)].map(
    ([, kind, x, y, text]) => ({
      kind,
      x: Number(x),
      y: Number(y),
      lines: [...text!.matchAll(/<tspan[^>]*>([^<]*)</g)].map(([, line]) => line),
    }),
  );
}
const titlesOf = (svg: string) => [...svg.matchAll(/<title>([^<]*)</g)].map(([, title]) => title);

describe('a picture', () => {
  it.each(machines)('of %s has every state at the top once, none over another, all inside', (_, machine) => {
    const svg = picture(machine);
    const boxes = boxesOf(svg);
    expect(boxes.map(({ lines }) => lines[0]).toSorted()).toEqual(Object.keys(machine.states).toSorted());
    const places = boxes.map(({ x, y }) => ({ x, y }));
    for (const [n, a] of places.entries())
      for (const b of places.slice(n + 1))
        expect(Math.abs(a.x - b.x) >= 132 || Math.abs(a.y - b.y) >= 44).toBe(true);
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);
    for (const { x, y } of places)
      expect([x >= 0, y >= 0, x + 132 <= width!, y + 44 <= height!]).toEqual([true, true, true, true]);
  });

  it('shows where the machine is and what it does inside, and marks what is final', () => {
    const value = { processing: { turn: { running: 'working' }, desk: 'quiet' } };
    const boxes = boxesOf(picture(session.sessionMachine, value));
    expect(boxes.filter(({ kind }) => kind === 'state current').map(({ lines }) => lines)).toEqual([
      ['processing', 'turn: running working', 'desk: quiet'],
    ]);
    expect(boxes.filter(({ kind }) => kind === 'state final').map(({ lines }) => lines[0])).toEqual([
      'passivated',
      'deleted',
      'stopped',
      'failed',
    ]);
    expect(
      boxesOf(picture(session.sessionMachine, 'idle')).filter(({ kind }) => kind === 'state current'),
    ).toMatchObject([{ lines: ['idle'] }]);
    expect(picture(session.sessionMachine)).not.toContain('current');
  });

  it('begins with the initial state on the left and ends with the final ones on the right', () => {
    const xs = new Map(boxesOf(picture(session.sessionMachine)).map(({ lines, x }) => [lines[0], x]));
    expect(Math.min(...xs.values())).toBe(xs.get('loading'));
    expect(Math.max(...xs.values())).toBe(xs.get('failed'));
    expect(xs.get('next')).toBeLessThan(xs.get('idle')!);
  });

  it('has an arrow with all its causes between two states, there and back apart, and none to itself', () => {
    const svg = picture(
      createMachine({
        initial: 'a',
        states: {
          a: { on: { go: 'b', run: 'b', stay: 'a' } },
          b: { initial: 'c', states: { c: { on: { back: '#top' } } } },
          top: { id: 'top', type: 'final' },
          island: {},
        },
      }),
    );
    expect(titlesOf(svg)).toEqual(['go, run', 'back']);
    expect(boxesOf(svg).map(({ lines }) => lines[0])).toEqual(['a', 'b', 'island', 'top']);
  });

  it('shows every region of a parallel machine as current, and spells out what a page would read as markup', () => {
    const svg = picture(createMachine({ type: 'parallel', states: { 'a<b>&': {}, two: {} } }), {
      'a<b>&': {},
      two: {},
    });
    expect(boxesOf(svg).map(({ kind, lines }) => [kind, lines])).toEqual([
      ['state current', ['a&lt;b&gt;&amp;']],
      ['state current', ['two']],
    ]);
  });
});

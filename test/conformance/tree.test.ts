import { describe, expect, it } from 'vitest';
import { createStage } from './puppets.ts';

describe('trees', () => {
  it('49 | one_for_all over two supervisors | a worker in one dies | only that worker is new', () => {
    const stage = createStage();
    const inner = (id: string) => stage.supervisor(id, { children: [stage.child('x'), stage.child('y')] });
    stage.start({ strategy: 'one_for_all', children: [inner('s1'), inner('s2')] });
    stage.end('s1/x', 'die');
    expect(stage.lives()).toEqual({ s1: 1, s2: 1 });
    expect(stage.lives('top/s1')).toEqual({ x: 2, y: 1 });
    expect(stage.lives('top/s2')).toEqual({ x: 1, y: 1 });
  });

  it('50 | one_for_all over two supervisors | one is exhausted | both are new with their static children; dynamic ones are gone', () => {
    const stage = createStage();
    const inner = stage.supervisor('static', { intensity: 0, children: [stage.child('x')] });
    const pool = stage.supervisor('pool', { dynamic: true });
    stage.start({ strategy: 'one_for_all', children: [inner, pool] });
    stage.add(stage.child('visitor'), 'top/pool');
    stage.add(stage.child('late'), 'top/static');
    stage.end('static/x', 'die');
    expect(stage.lives()).toEqual({ static: 2, pool: 2 });
    expect(stage.lives('top/static')).toEqual({ x: 1 });
    expect(stage.lives('top/pool')).toEqual({});
    expect(stage.resources()).toBe(1);
  });

  it('51 | a supervisor and a worker, known by their paths | killed, ended, restarted by an operator | new holders of the same paths; free after the end', async () => {
    const stage = createStage();
    const inner = stage.supervisor('s', { intensity: 9, children: [stage.child('w')] });
    const { root } = stage.start({ intensity: 9, children: [inner] });
    const holders = () => [stage.incarnation('s'), stage.incarnation('s/w')];
    stage.end('s', 'kill');
    expect(holders()).toEqual([2, 1]);
    stage.end('s/w', 'kill');
    expect(holders()).toEqual([2, 2]);
    stage.end('s/w', 'stop');
    expect(holders()).toEqual([2, 3]);
    await stage.ask('terminate_child', 'w', 'top/s');
    expect(stage.tell('s/w', 'stop')).toBe('noproc');
    await stage.ask('restart_child', 'w', 'top/s');
    expect(holders()).toEqual([2, 4]);
    stage.shutdown(root);
    expect(holders()).toEqual([undefined, undefined]);
    expect(stage.tell('s', 'stop')).toBe('noproc');
  });
});

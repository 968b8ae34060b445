/** What the random trees found once, shrunk: each is run against both at every change. */
import type { Leaf, Script, Sup } from './script.ts';

const leaf = (id: string, more: Partial<Leaf> = {}): Leaf => ({
  kind: 'leaf',
  id,
  restart: 'permanent',
  shutdown: 5_000,
  significant: false,
  answer: 'shutdown',
  ...more,
});

const sup = (id: string, more: Partial<Sup>): Sup => ({
  kind: 'sup',
  id,
  restart: 'permanent',
  shutdown: 'infinity',
  significant: false,
  strategy: 'one_for_one',
  intensity: 0,
  auto: 'never',
  children: [],
  ...more,
});

export const REGRESSIONS: readonly (readonly [string, Script])[] = [
  [
    'a permanent worker that answers the shutdown with a normal end is a shutdown error',
    {
      failures: [],
      tree: sup('root', { children: [leaf('c3', { answer: 'normal' })] }),
      ops: [{ kind: 'stop' }],
    },
  ],
  [
    'a worker added at run time is gone with its supervisor, from the tree as well',
    {
      failures: [],
      tree: sup('root', {
        intensity: 1,
        children: [
          sup('c3', {
            children: [leaf('c3', { restart: 'temporary', shutdown: 'brutal', answer: 'error' })],
          }),
          sup('c0', { children: [leaf('c3')] }),
        ],
      }),
      ops: [
        { kind: 'delete', path: 'root/c3', id: 'c3' },
        { kind: 'start', path: 'root/c3', spec: leaf('n1', { shutdown: 'brutal' }) },
        { kind: 'exit', path: 'root/c3/n1', reason: 'normal' },
        { kind: 'stop' },
      ],
    },
  ],
  [
    'a supervisor that restarts shows its children in start order, also where a temporary one was forgotten',
    {
      failures: [],
      tree: sup('root', {
        intensity: 1,
        children: [
          sup('c3', {
            children: [
              sup('c3', { restart: 'temporary', children: [leaf('c3', { shutdown: 'brutal' })] }),
              leaf('c0'),
            ],
          }),
        ],
      }),
      ops: [{ kind: 'exit', path: 'root/c3/c0', reason: 'error' }, { kind: 'stop' }],
    },
  ],
  [
    'whoever ends by itself while the others are being stopped is heard of in its turn, and a normal end is no news',
    {
      failures: [],
      tree: sup('root', {
        strategy: 'one_for_all',
        intensity: 1,
        children: [
          leaf('c3', { restart: 'transient' }),
          leaf('c0'),
          leaf('c5', { takes: { id: 'c0', reason: 'error' } }),
          leaf('c1', { takes: { id: 'c3', reason: 'normal' } }),
        ],
      }),
      ops: [{ kind: 'exit', path: 'root/c5', reason: 'error' }, { kind: 'stop' }],
    },
  ],
  [
    'a permanent worker to be killed that ends with shutdown before its turn is a shutdown error',
    {
      failures: [],
      tree: sup('root', {
        strategy: 'one_for_all',
        children: [
          leaf('c3', { shutdown: 'brutal' }),
          leaf('c0', { takes: { id: 'c3', reason: 'shutdown' } }),
        ],
      }),
      ops: [{ kind: 'stop' }],
    },
  ],
];

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { complaints, ROOMS, roomCycle, roomOf } from './rooms.ts';
import { parse, ROOT, sources } from './parsed.ts';

const all = sources('src').filter(({ path }) => !path.endsWith('.d.ts'));

test('every import keeps to the plan of the house', () => {
  expect(all.length).toBeGreaterThan(50);
  expect(all.flatMap(complaints).join('\n')).toBe('');
});

test('no two rooms reach each other in a circle', () => {
  expect(roomCycle(all)?.join(' > ')).toBeUndefined();
});

test('every rule names rooms and files that exist or are planned', () => {
  const planned = new Set(['checks', 'cluster']);
  for (const [room, { uses, types = [] }] of Object.entries(ROOMS)) {
    for (const used of uses) expect(ROOMS, `${room} may use ${used}`).toHaveProperty(used);
    for (const file of types)
      expect(existsSync(join(ROOT, 'src', file)) || planned.has(roomOf(`src/${file}`)), file).toBe(true);
  }
});

describe('a planted violation is caught, and the message teaches the rule:', () => {
  test.each([
    ['src/machines/x.ts', `import { readFileSync } from 'node:fs';`, 'machines may not import "node:fs"'],
    [
      'src/machines/x.ts',
      `import { createBus } from '../bus/index.ts';`,
      'machines may not import bus/index.ts',
    ],
    ['src/machines/x.ts', `import { z } from 'zod';`, 'machines decide and touch nothing'],
    [
      'src/machines/x.ts',
      `import type { Store } from '../store/contract.ts';`,
      'machines may not import types of store/contract.ts',
    ],
    [
      'src/bus/x.ts',
      `import type { Clock } from '../supervisor/clock.ts';`,
      'bus may not import types of supervisor/clock.ts',
    ],
    ['src/errors.ts', `import type { Fact } from './bus/events.ts';`, 'imports nothing'],
    ['src/models/x.ts', `import { createStore } from '../store/index.ts';`, 'never know each other'],
    [
      'src/models/x.ts',
      `const s = await import('../store/index.ts');`,
      'models may not import store/index.ts',
    ],
    [
      'src/server/x.ts',
      `import { PATHS } from '../actors/paths.ts';`,
      'server may not import actors/paths.ts',
    ],
    [
      'src/server/x.ts',
      `import { openStore } from '../store/contract.ts';`,
      'server may not import store/contract.ts',
    ],
    [
      'src/telemetry/log/x.ts',
      `import { turn } from '../../machines/turn.ts';`,
      'deleting them would be noticed',
    ],
    [
      'src/store/x.ts',
      `import { supervisedTree } from '../gateway/tree.ts';`,
      'store may not import gateway/tree.ts',
    ],
    [
      'src/actors/x.ts',
      `import { clock } from '../testing/clock.ts';`,
      'actors may not import testing/clock.ts',
    ],
    ['src/actors/x.ts', `export { writer } from '../store/writer.ts';`, 'enter store by store/index.ts'],
    ['src/actors/x.ts', `import type { Row } from '../store/row.ts';`, 'enter store by store/index.ts'],
    ['src/tools/x.ts', `import { DatabaseSync } from 'node:sqlite';`, 'belongs to store'],
    [
      'src/server/dashboard/main.ts',
      `import { fit } from '../protocol/fit.ts';`,
      'dashboard may not import server/protocol/fit.ts',
    ],
    ['src/server/dashboard/main.ts', `import { z } from 'zod';`, 'runs in a browser'],
    ['src/server/x.ts', `import { show } from './dashboard/tree-view.ts';`, 'server may not import'],
    ['src/helpers/x.ts', ``, 'there is no room "helpers"'],
  ])('%s: %s', (path, text, message) => {
    expect(complaints(parse(path, text)).join('\n')).toContain(message);
  });

  test('and what is allowed is not', () => {
    const fine = [
      [
        'src/machines/x.ts',
        `import { setup } from 'xstate'; import type { Fact } from '../bus/events.ts'; import { CoppiceError } from '../errors.ts';`,
      ],
      [
        'src/actors/x.ts',
        `import { runMachine } from '../machines/run.ts'; import { ModelFailure } from '../models/contract.ts'; import { type Clock } from '../supervisor/clock.ts';`,
      ],
      [
        'src/server/x.ts',
        `import type { RunSignal } from '../channels/contract.ts'; import type { GatewayPort } from './port.ts';`,
      ],
      [
        'src/gateway/parts.ts',
        `import { createLog } from '../telemetry/log/index.ts'; import { x } from './tree.ts';`,
      ],
    ] as const;
    expect(fine.flatMap(([path, text]) => complaints(parse(path, text)))).toEqual([]);
  });

  test('a circle of rooms is shown as the chain it is', () => {
    const circle = [
      parse('src/a/x.ts', `import '../b/index.ts';`),
      parse('src/b/x.ts', `import '../c/index.ts';`),
      parse('src/c/x.ts', `import '../a/index.ts';`),
    ];
    expect(roomCycle(circle)).toEqual(['a', 'b', 'c', 'a']);
    expect(roomCycle(circle.slice(1))).toBeUndefined();
  });
});

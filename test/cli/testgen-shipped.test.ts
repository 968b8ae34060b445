import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SUITES } from '../../scripts/generated.ts';
import { main } from '../../src/cli/main.ts';
import { listMachines } from '../../src/gateway/machines.ts';
import type { Io } from '../../src/cli/io.ts';

async function check(name: string, file: string): Promise<readonly [number, string]> {
  let said = '';
  const output = { write: (text: string) => (said += text) };
  const io: Io = { stdout: output, stderr: output, env: {} };
  return [await main(['testgen', name, '--out', file, '--check'], io), said];
}

test('every machine coppice ships has a generated suite', () => {
  expect([...SUITES.keys()].toSorted()).toEqual(
    listMachines()
      .map(({ name }) => name)
      .toSorted(),
  );
});

test.each([...SUITES])('the suite of %s is what its machine gives now', async (name, file) => {
  expect(await check(name, file)).toEqual([0, expect.stringContaining('is what')]);
});

test.each([...SUITES])(
  'the suite of %s covers every state, every transition and both ways of each guard',
  (_, file) => {
    expect(readFileSync(file, 'utf8').replaceAll(/\s+/g, ' ')).toContain(
      'expect(missing).toEqual({ states: [], transitions: [], guards: [] });',
    );
  },
);

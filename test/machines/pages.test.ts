import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MACHINES, machinePages } from '../../scripts/machine-pages.ts';
import { effectNames } from '../../src/machines/effect-missing.ts';

// That the pages are what the code says is a rule of the house (test/tidy); here is what they must say.
const ROOT = join(import.meta.dirname, '../..');
const page = (name: string): string => readFileSync(join(ROOT, `docs/machines/${name}.md`), 'utf8');
/** From its heading to the next. */
const section = (name: string, title: string): string =>
  page(name)
    .split(/^## /m)
    .find((text) => text.startsWith(title)) ?? '';

test('there is a page for every machine, an index, and none of a machine that is gone', () => {
  const made = Object.keys(machinePages()).map((path) => path.replace('docs/machines/', ''));
  expect(readdirSync(join(ROOT, 'docs/machines')).toSorted()).toEqual(made.toSorted());
  for (const name of MACHINES.keys()) expect(page('README')).toContain(`[${name}](${name}.md)`);
});

describe.each([...MACHINES])('the page of %s', (name, { machine }) => {
  test('says what it is for, and draws it', () => {
    expect(page(name)).not.toContain('no docstring yet');
    expect(section(name, 'Diagram')).toMatch(/```mermaid\nstateDiagram-v2\n/);
  });
  test('has what a host must know: an example of every event that comes from outside, every effect, every guard', () => {
    const events = machine.events.filter((type) => !type.startsWith('xstate.'));
    for (const type of events) expect(section(name, 'Events'), type).toContain(`\`${type}\``);
    expect(section(name, 'Events')).toContain('{"type":"');
    for (const effect of effectNames(machine))
      expect(section(name, 'Effects')).toContain(`\`${effect.name}\``);
    for (const guard of Object.keys(machine.implementations.guards))
      expect(section(name, 'Guards')).toContain(`\`${guard}\``);
  });
});

test('facts lead to the catalogue, and limits tell their value and their reason', () => {
  expect(section('heartbeat', 'Facts')).toContain('[heartbeat.fired](../events.md#heartbeatfired)');
  expect(section('session', 'Facts')).toContain('[session.stuck](../events.md#sessionstuck)');
  expect(section('heartbeat', 'Limits')).toMatch(/`heartbeatGraceMs` +\| 300000 +\| A slot that/);
});

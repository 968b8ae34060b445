import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as xstate from 'xstate';
import { expect, it, vi } from 'vitest';
import * as supervisor from '../../src/supervisor/index.ts';

const page = readFileSync(new URL('../../docs/supervision.md', import.meta.url), 'utf8');
const snippet = /```js\n([\s\S]*?)```/.exec(page)![1]!;

/** Runs the page's own text, with the packages it names. */
function runSnippet(scope: Record<string, unknown>): void {
  const packages: Record<string, object> = { xstate, 'coppice/supervisor': supervisor };
  const imports = /^import (\{[^}]*\}) from '([^']+)';$/gm;
  for (const [, , name] of snippet.matchAll(imports)) expect(Object.keys(packages)).toContain(name);
  const body = snippet.replaceAll(
    imports,
    (_, names: string, name: string) => `const ${names} = packages['${name}'];`,
  );
  // oxlint-disable-next-line typescript/no-implied-eval -- the text is a file of this repository
  new Function('packages', ...Object.keys(scope), body)(packages, ...Object.values(scope));
}

it('the 20 lines of docs/supervision.md run as printed: the one that crashes comes back, its sibling lives on, all stop', async () => {
  const lines: string[] = [];
  const once = vi.fn<(signal: string, stop: () => void) => void>();
  runSnippet({ console: { log: (...words: unknown[]) => lines.push(words.join(' ')) }, process: { once } });
  await vi.waitFor(() => expect(lines).toContain('telegram lives, 2'), 30_000);
  const [signal, stop] = once.mock.calls[0]!;
  expect(signal).toBe('SIGTERM');
  stop();
  await nextTurn();
  expect(lines.filter((line) => line.endsWith('app/slack'))).toEqual(['progress app/slack']);
  expect(lines.filter((line) => !line.startsWith('telegram'))).toEqual([
    'progress app/telegram',
    'progress app/slack',
    'child_terminated app/telegram',
    'restart_scheduled app/telegram',
    'progress app/telegram',
    'shutdown app',
  ]);
});

it('it is 20 lines, not counting those that hold a bracket or nothing', () => {
  const lines = snippet.split('\n').filter((line) => /\w/.test(line));
  expect(lines.length).toBeLessThanOrEqual(20);
});

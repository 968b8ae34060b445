import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Runs the example as it stands, with the package's own name found in the sources. */
async function run(...args: string[]): Promise<string[]> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', './test/examples/resolve-source.ts', 'examples/ai-sdk/agent.ts', ...args],
    { timeout: 60_000 },
  );
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}
const results = (lines: string[]) =>
  lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

const ENDED = {
  asked: 20,
  looked: 20,
  finishReason: 'stop',
  text: expect.stringMatching(
    /^I stopped here: the tool "lookInto" was called 20 times .*\(generic_repeat\)\.$/,
  ),
};

test("the AI SDK example's agent ends with the breaker, under generateText and streamText", async () => {
  const lines = await run();
  expect(results(lines)).toEqual([
    { by: 'generateText', ...ENDED },
    { by: 'streamText', ...ENDED },
  ]);
  expect(lines.filter((line) => line.startsWith('warning: '))).toHaveLength(2);
  expect(lines.filter((line) => line.startsWith('critical: '))).toHaveLength(2);
}, 60_000);

test('it goes on without the breaker for as long as it is let', async () => {
  const endless = { asked: 100, looked: 100, finishReason: 'tool-calls', text: '' };
  expect(results(await run('--without'))).toEqual([
    { by: 'generateText', ...endless },
    { by: 'streamText', ...endless },
  ]);
}, 60_000);

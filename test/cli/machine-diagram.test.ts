import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/main.ts';

const folder = mkdtempSync(join(tmpdir(), 'coppice-diagram-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function diagram(...argv: string[]) {
  const seen = { out: '', err: '' };
  const io = {
    stdout: { write: (text: string) => (seen.out += text) !== '' },
    stderr: { write: (text: string) => (seen.err += text) !== '' },
    env: {},
  };
  return { code: await main(['machines', 'diagram', ...argv], io), ...seen };
}

describe('machines diagram', () => {
  test('prints Mermaid alone, so that it can be piped', async () => {
    const { code, out } = await diagram('gate');
    expect([code, out.split('\n')[0]]).toEqual([0, 'stateDiagram-v2']);
    expect(out).toContain('draining --> open : gate.open [ingressReady]');
  });

  test('writes a file, and a page when its name ends in .md', async () => {
    const [plain, page] = [join(folder, 'gate.mmd'), join(folder, 'gate.md')];
    expect((await diagram('gate', '--out', plain)).out).toBe(`wrote ${plain}\n`);
    expect(readFileSync(plain, 'utf8')).toBe((await diagram('gate')).out);
    await diagram('gate', '--out', page);
    expect(readFileSync(page, 'utf8')).toMatch(/^# gate\n\n```mermaid\nstateDiagram-v2\n[^`]*```\n$/);
  });

  test('as JSON it is one document, which names the file if there is one', async () => {
    const mermaid = (await diagram('gate')).out;
    expect(JSON.parse((await diagram('gate', '--json')).out)).toEqual({ name: 'gate', mermaid });
    const file = join(folder, 'again.mmd');
    expect(JSON.parse((await diagram('gate', '--json', '--out', file)).out)).toEqual({
      name: 'gate',
      mermaid,
      file,
    });
  });

  test.each([
    ['sesion', 'session'],
    ['heart', 'heartbeat'],
    ['rnu', 'run'],
  ])('of "%s" there is none, and the nearest is named', async (name, nearest) => {
    const { code, err } = await diagram(name);
    expect([code, err]).toEqual([1, expect.stringContaining(`the nearest known one is "${nearest}"`)]);
  });

  test('a place where it cannot be written is named, with what to do', async () => {
    const file = join(folder, 'nowhere', 'gate.mmd');
    const { code, err } = await diagram('gate', '--out', file);
    expect([code, err]).toEqual([1, expect.stringContaining(`${file} cannot be written: ENOENT`)]);
    expect(err).toContain('COPPICE_FILE_UNWRITABLE');
  });

  test('--help shows how it is used', async () => {
    const { code, out } = await diagram('--help');
    expect(code).toBe(0);
    for (const part of [
      'Example:',
      '--out <file>',
      '--json',
      'coppice machines diagram session --out session.mmd',
    ])
      expect(out).toContain(part);
  });
});

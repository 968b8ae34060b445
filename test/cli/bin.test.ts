import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../../bin/coppice.js', import.meta.url));

test('on an older Node the program says in one line what it needs, and ends with 1', () => {
  const pretend =
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.11.1" } })';
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${pretend}`, bin, '--version'],
    { encoding: 'utf8' },
  );
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^coppice needs Node 24 or newer; this is Node 20\.11\.1.*COPPICE_NODE_TOO_OLD\n$/);
});

test('the program runs, and its exit code is that of the command', () => {
  const coppice = (...args: string[]) => spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });
  expect(coppice('--version')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
  expect(coppice('nonsense')).toMatchObject({ status: 64, stdout: '' });
});

/** `coppice run` to its end, without any configuration of the user who runs the tests. */
async function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: unknown; stderr: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'coppice-bin-'));
  const child = spawn(process.execPath, [bin, 'run', '--state-dir', dir, ...args], {
    env: { XDG_CONFIG_HOME: dir, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const [code] = (await once(child, 'close')) as [unknown];
  rmSync(dir, { recursive: true });
  return { code, stderr };
}

test.each([[[]], [['--no-launcher']]])(
  'run %j on a busy port ends with 78, naming address and owner, and does not loop',
  async (more) => {
    const busy = net.createServer().listen(0, '127.0.0.1');
    await once(busy, 'listening');
    const { port } = busy.address() as AddressInfo;
    const { code, stderr } = await run(['--port', String(port), ...more]);
    busy.close();
    expect(code).toBe(78);
    expect(stderr).toMatch(
      new RegExp(`^coppice: 127\\.0\\.0\\.1:${port} is in use by .*\\n.*\\n  COPPICE_PORT_IN_USE\\n$`),
    );
  },
);

test('run with a variable that does not exist ends with 78 and names the nearest', async () => {
  const { code, stderr } = await run(['--port', '0'], { COPPICE_PROT: '1' });
  expect(code).toBe(78);
  expect(stderr).toContain('did you mean COPPICE_PORT?');
});

test('run with a watchdog that is no number ends with 64', async () => {
  const { code, stderr } = await run(['--port', '0'], { COPPICE_WATCHDOG_MS: 'soon' });
  expect(code).toBe(64);
  expect(stderr).toContain('COPPICE_WATCHDOG_MS is "soon"');
});

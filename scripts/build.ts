/** Builds `dist/`: JavaScript and declarations of everything but tests, and the dashboard's assets. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const tsc = join('node_modules', 'ts7', 'bin', 'tsc');
const run = (...args: string[]): void =>
  void execFileSync(process.execPath, [tsc, ...args], { stdio: 'inherit' });

rmSync('dist', { recursive: true, force: true });
run('-p', 'tsconfig.build.json');
run(
  '-p',
  'tsconfig.dashboard.json',
  '--noEmit',
  'false',
  '--allowImportingTsExtensions',
  'false',
  '--rewriteRelativeImportExtensions',
  '--rootDir',
  'src/server/dashboard',
  '--outDir',
  'dist/server/dashboard',
);
const assets = join('src', 'server', 'dashboard');
for (const file of readdirSync(assets)) {
  if (!file.endsWith('.ts'))
    cpSync(join(assets, file), join('dist', 'server', 'dashboard', file), { recursive: true });
}
if (!existsSync('dist/cli/main.js')) throw new Error('the build made no dist/cli/main.js');

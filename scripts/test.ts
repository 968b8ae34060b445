/**
 * Everything CI runs, in one command: `npm test [-- NAME ...]`. Each suite has a time budget after which it is ended
 * and counts as failed; long suites have commands of their own (see CONTRIBUTING.md). The last line is plain:
 * `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

interface Suite {
  readonly name: string;
  readonly budgetMs: number;
  run(budgetMs: number): Promise<Count>;
}

const bin = (name: string): string => join('node_modules', '.bin', name);
const tsc = join('node_modules', 'ts7', 'bin', 'tsc');
const scratch = mkdtempSync(join(tmpdir(), 'coppice-test-'));

const command = (name: string, file: string, ...args: string[]): Suite => ({
  name,
  budgetMs: 60_000,
  run: async (budgetMs) =>
    (await run(file, args, budgetMs)) === 0
      ? { passed: 1, failed: 0, skipped: 0 }
      : { passed: 0, failed: 1, skipped: 0 },
});

const vitest = (project: string, budgetMs: number): Suite => ({
  name: project,
  budgetMs,
  async run(limit) {
    const report = join(scratch, `${project}.json`);
    const args = [
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ];
    const code = await run(bin('vitest'), args, limit);
    return readReport(report, code);
  },
});

const suites: readonly Suite[] = [
  command('types: decisions and facts', process.execPath, tsc, '-p', 'tsconfig.storey0.json'),
  command('types: node', process.execPath, tsc, '-p', 'tsconfig.json'),
  command('types: dashboard', process.execPath, tsc, '-p', 'tsconfig.dashboard.json'),
  command('types: examples without Node', process.execPath, tsc, '-p', 'tsconfig.examples.json'),
  command('lint', bin('oxlint'), '--deny-warnings'),
  command('format', bin('oxfmt'), '--check', '.'),
  command('docs', process.execPath, 'scripts/docs.ts', '--check'),
  command('reference', process.execPath, 'scripts/reference.ts', '--check'),
  command('dead code', bin('knip')),
  vitest('unit', 300_000),
  vitest('unit-production', 180_000),
  vitest('oldest-xstate', 180_000),
  vitest('e2e', 300_000),
];

function run(file: string, args: readonly string[], budgetMs: number): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    const timer = setTimeout(() => {
      console.error(`ended: it took longer than its budget of ${budgetMs / 1000} s`);
      child.kill('SIGKILL');
    }, budgetMs);
    child.on('error', (error) => console.error(error.message));
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code ?? 1);
    });
  });
}

/** A run that died without a report counts as one failure: silence is never success. */
function readReport(file: string, code: number): Count {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as ReportFile;
    const skipped = report.numPendingTests + report.numTodoTests;
    for (const test of report.testResults.flatMap((r) => r.assertionResults)) {
      if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`);
    }
    const failed = report.numFailedTests + (code !== 0 && report.numFailedTests === 0 ? 1 : 0);
    return { passed: report.numPassedTests, failed, skipped };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

interface ReportFile {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const wanted = process.argv.slice(2);
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.some((word) => suite.name.includes(word))) continue;
  console.log(`\n== ${suite.name}`);
  const startedAt = performance.now();
  const count = await suite.run(suite.budgetMs);
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += count[key];
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  lines.push(
    `${count.failed === 0 ? 'ok  ' : 'FAIL'} ${suite.name} (${seconds} s): ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`,
  );
}
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${lines.join('\n')}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

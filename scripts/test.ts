/**
 * Everything CI runs, in one command: `npm test [-- NAME ...]`. Each suite has a time budget after which it is ended
 * and counts as failed; long suites have commands of their own (see CONTRIBUTING.md). The last line is plain:
 * `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
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
  /** Runs beside the others from the beginning, since it mostly waits; its output comes when it is done. */
  readonly beside?: boolean;
  run(budgetMs: number, output?: number): Promise<Count>;
}

const bin = (name: string): string => join('node_modules', '.bin', name);
const tsc = join('node_modules', 'ts7', 'bin', 'tsc');
const scratch = mkdtempSync(join(tmpdir(), 'coppice-test-'));

const command = (name: string, file: string, ...args: string[]): Suite => ({
  name,
  budgetMs: 60_000,
  run: async (budgetMs, output) =>
    (await run(file, args, budgetMs, output)) === 0
      ? { passed: 1, failed: 0, skipped: 0 }
      : { passed: 0, failed: 1, skipped: 0 },
});

const vitest = (project: string, budgetMs: number, more: Pick<Suite, 'beside'> = {}): Suite => ({
  name: project,
  budgetMs,
  ...more,
  async run(limit, output) {
    const report = join(scratch, `${project}.json`);
    const args = [
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ];
    const code = await run(bin('vitest'), args, limit, output);
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
  vitest('unit', 480_000),
  vitest('unit-production', 180_000),
  vitest('oldest-xstate', 180_000),
  vitest('e2e', 480_000, { beside: true }),
];

function run(
  file: string,
  args: readonly string[],
  budgetMs: number,
  output: number | 'inherit' = 'inherit',
): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['ignore', output, output] });
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
      if (test.status === 'failed') failures.push(`failed: ${test.fullName}\n        ${reason(test)}`);
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
    readonly assertionResults: readonly TestReport[];
  }[];
}

interface TestReport {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages?: readonly string[] | null;
}

/** The first lines of why, on one: whoever sees only the end of a long log can still begin. */
const reason = ({ failureMessages }: TestReport): string =>
  (failureMessages?.join(' | ') ?? 'no message').split('\n').slice(0, 6).join(' ').slice(0, 600);

const wanted = process.argv.slice(2);
const chosen = suites.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
const failures: string[] = [];

const measured = async (suite: Suite, output?: number): Promise<void> => {
  const startedAt = performance.now();
  const count = await suite.run(suite.budgetMs, output);
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += count[key];
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  lines.push(
    `${count.failed === 0 ? 'ok  ' : 'FAIL'} ${suite.name} (${seconds} s): ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`,
  );
};

/** Its output is kept in a file and told in one piece. */
async function beside(suite: Suite): Promise<() => void> {
  const file = join(scratch, `${suite.name}.log`);
  const output = openSync(file, 'w');
  await measured(suite, output);
  closeSync(output);
  return () => process.stdout.write(`\n== ${suite.name}\n${readFileSync(file, 'utf8')}`);
}

const alone = chosen.length === 1;
const others = chosen.filter((suite) => suite.beside && !alone).map(beside);
for (const suite of chosen) {
  if (suite.beside && !alone) continue;
  console.log(`\n== ${suite.name}`);
  await measured(suite);
}
for (const other of others) (await other)();
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${lines.join('\n')}\n`);
if (failures.length > 0) console.log(`${failures.join('\n')}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

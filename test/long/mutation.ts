/**
 * Plants every fault into every machine and looks who notices: the generated tests (by stage), and the hand-written
 * model-based test as far as its time goes. Exit code 1 when a fault survives or the list of equivalents is out of date.
 *
 *   node test/long/mutation.ts [--machine NAME]... [--kind KIND]... [--hand-seconds 60] [--json]
 */
import { parseArgs } from 'node:util';
import { shippedNames } from '../../src/testing/shipped.ts';
import { check } from '../mutation/check.ts';
import { KINDS, type Kind } from '../mutation/mutant.ts';
import { isStale, scoreTable, stageTable, survives, type Verdict } from '../mutation/score.ts';
import { answerHelp } from '../../scripts/help.ts';

answerHelp(import.meta.filename);
const { values } = parseArgs({
  options: {
    machine: { type: 'string', multiple: true },
    kind: { type: 'string', multiple: true },
    'hand-seconds': { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});
const machines = values.machine ?? shippedNames;
const kinds = values.kind?.filter((kind): kind is Kind => (KINDS as readonly string[]).includes(kind));
const unknown = [
  ...machines.filter((name) => !shippedNames.includes(name)),
  ...(values.kind ?? []).filter((kind) => !(KINDS as readonly string[]).includes(kind)),
];
if (unknown.length > 0) {
  process.stderr.write(
    `Nothing is called ${unknown.join(', ')}. Machines: ${shippedNames.join(', ')}. Kinds: ${KINDS.join(', ')}.\n`,
  );
  process.exit(2);
}

let toldAt = performance.now();
const progress = (text: string): void => {
  if (performance.now() - toldAt < 5_000) return;
  toldAt = performance.now();
  process.stderr.write(`${text}\n`);
};
const verdicts: Verdict[] = [];
const faults: string[] = [];
for (const name of machines) {
  const startedAt = performance.now();
  const checked = await check(name, { kinds, handSeconds: Number(values['hand-seconds']), progress });
  verdicts.push(...checked.verdicts);
  faults.push(...checked.faults);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  const left = checked.verdicts.filter(survives).length;
  process.stderr.write(`${name}: ${checked.verdicts.length} mutants, ${left} survive, ${seconds} s\n`);
}
const lines = [
  ...verdicts.filter(survives).map(({ machine, kind, name }) => `survives: ${machine} ${kind}: ${name}`),
  ...verdicts
    .filter(isStale)
    .map(({ machine, name }) => `listed as equivalent, but caught: ${machine}: ${name}`),
  ...faults,
];
const text = [scoreTable(verdicts), '', stageTable(verdicts), ...(lines.length > 0 ? ['', ...lines] : [])];
process.stdout.write(values.json ? `${JSON.stringify({ verdicts, faults })}\n` : `${text.join('\n')}\n`);
process.exitCode = lines.length > 0 ? 1 : 0;

import { writeFileSync } from 'node:fs';
import { nearest } from '../../config/index.ts';
import { CoppiceError, normalizeError } from '../../errors.ts';
import { describeMachine, drawMachine, listMachines } from '../../gateway/machines.ts';
import { EXIT } from '../exit-codes.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import type { CommonOptions } from '../options.ts';
import { renderMachine } from '../render/machine.ts';
import { paintFor } from '../render/style.ts';
import { table } from '../render/table.ts';
import { isFile, moduleMachine } from '../testgen/module-subject.ts';

/** `coppice machines ls`: no gateway is asked, the machines are part of this program. */
export async function listAll(io: Io, options: CommonOptions): Promise<number> {
  const machines = listMachines();
  if (options.json) writeJson(io.stdout, { machines });
  else {
    const rows = machines.map(({ name, states, events, effects }) => [
      name,
      ...[states, events, effects].map(String),
    ]);
    writeLines(
      io.stdout,
      table(['machine', 'states', 'events', 'effects'], rows, paintFor(io.stdout, io.env)),
    );
  }
  return EXIT.ok;
}

/** `coppice machines show NAME`. Rejects with MACHINE_UNKNOWN. */
export async function show(io: Io, name: string, options: CommonOptions): Promise<number> {
  const machine = describeMachine(name) ?? unknown(name);
  if (options.json) writeJson(io.stdout, { machine });
  else writeLines(io.stdout, renderMachine(machine, paintFor(io.stdout, io.env)));
  return EXIT.ok;
}

interface DiagramOptions extends CommonOptions {
  readonly out?: string;
  readonly from?: string;
  readonly export?: string;
}

/**
 * `coppice machines diagram NAME`, or one of the caller's by `--from FILE`. Rejects with USAGE, MACHINE_UNKNOWN,
 * TESTGEN_* for the module, and FILE_UNWRITABLE for `--out`.
 */
export async function draw(io: Io, wanted: string | undefined, options: DiagramOptions): Promise<number> {
  const { out, json } = options;
  const { name, mermaid } = await drawn(io, wanted, options);
  if (out !== undefined) writeFile(out, /\.(md|markdown)$/i.test(out) ? pageOf(name, mermaid) : mermaid);
  if (json) writeJson(io.stdout, { name, mermaid, ...(out === undefined ? {} : { file: out }) });
  else if (out === undefined) io.stdout.write(mermaid);
  else writeLines(io.stdout, [`wrote ${out}`]);
  return EXIT.ok;
}

async function drawn(io: Io, name: string | undefined, { from, export: exported }: DiagramOptions) {
  if (name !== undefined && from === undefined && isFile(name))
    throw new CoppiceError('USAGE', { reason: `${name} is a file: say --from ${name}` });
  if ((name === undefined) === (from === undefined))
    throw new CoppiceError('USAGE', { reason: 'diagram takes either a machine of coppice or --from FILE' });
  if (name !== undefined) return { name, mermaid: drawMachine(name) ?? unknown(name) };
  io.foreign?.();
  const { machine } = await moduleMachine(from!, exported);
  return { name: machine.id, mermaid: drawMachine(machine)! };
}

const pageOf = (name: string, mermaid: string): string => `# ${name}\n\n\`\`\`mermaid\n${mermaid}\`\`\`\n`;

function writeFile(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new CoppiceError(
      'FILE_UNWRITABLE',
      { file, reason: normalizeError(cause).code ?? 'it failed' },
      { cause },
    );
  }
}

function unknown(name: string): never {
  const names = listMachines().map((one) => one.name);
  throw new CoppiceError('MACHINE_UNKNOWN', {
    name,
    nearest: nearest(name, names) ?? beginningAs(name, names),
  });
}

/** For what is no slip of the finger: the one with the longest common beginning. */
function beginningAs(name: string, names: readonly string[]): string {
  const common = (other: string): number => {
    let at = 0;
    while (at < other.length && other[at] === name[at]) at += 1;
    return at;
  };
  return names.reduce((best, one) => (common(one) > common(best) ? one : best));
}

import { CoppiceError } from '../../errors.ts';
import { describeMachine, listMachines } from '../../gateway/machines.ts';
import { EXIT } from '../exit-codes.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import type { CommonOptions } from '../options.ts';
import { renderMachine } from '../render/machine.ts';
import { paintFor } from '../render/style.ts';
import { table } from '../render/table.ts';

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
  const machine = describeMachine(name);
  if (!machine) throw new CoppiceError('MACHINE_UNKNOWN', { name, nearest: nearest(name) });
  if (options.json) writeJson(io.stdout, { machine });
  else writeLines(io.stdout, renderMachine(machine, paintFor(io.stdout, io.env)));
  return EXIT.ok;
}

/** The one with the longest common beginning: there are a dozen. */
function nearest(name: string): string {
  const common = (other: string): number => {
    let at = 0;
    while (at < other.length && other[at] === name[at]) at += 1;
    return at;
  };
  return listMachines()
    .map((one) => one.name)
    .reduce((best, one) => (common(one) > common(best) ? one : best));
}

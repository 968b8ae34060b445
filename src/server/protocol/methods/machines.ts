/** `machines.list` and `machines.get`: the statecharts this gateway runs on. */
import { z } from 'zod';
import { CoppiceError } from '../../../errors.ts';
import { defineMethod } from '../method.ts';
import { nearest } from '../nearest.ts';

export const machinesList = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle: (_params, { port }) => ({ payload: { machines: port.machines() } }),
});

export const machinesGet = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({ name: z.string().min(1).max(64) }),
  handle({ name }, { port }) {
    const machine = port.machine(name);
    if (machine) return { payload: { machine } };
    const known = port.machines().map((one) => one.name);
    throw new CoppiceError('MACHINE_UNKNOWN', { name, nearest: nearest(name, known) ?? known[0] });
  },
});

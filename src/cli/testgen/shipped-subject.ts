import { nearest } from '../../config/index.ts';
import { CoppiceError } from '../../errors.ts';
import { shipped, shippedNames } from '../../testing/index.ts';
import type { Subject } from './subject.ts';

/** A machine of ours. Rejects with MACHINE_UNKNOWN. */
export async function shippedSubject(name: string): Promise<Subject> {
  const found = await shipped(name);
  if (!found)
    throw new CoppiceError('MACHINE_UNKNOWN', {
      name,
      nearest: nearest(name, shippedNames) ?? beginningAs(name, shippedNames),
    });
  const { machine, scenarios, from } = found;
  const alone = scenarios.length === 1;
  return {
    name,
    machine,
    stagings: scenarios.map((one) => ({
      ...(alone ? {} : { name: one.name }),
      options: one.options,
      imported: {},
    })),
    imports: [{ names: `{ ${name} }`, from }],
    expression: `${name}.${name}Machine`,
    companions: [],
  };
}

/** For what is no slip of the finger: the one with the longest common beginning. */
function beginningAs(name: string, names: readonly string[]): string {
  const common = (other: string): number => [...other].findIndex((letter, at) => letter !== name[at]);
  return names.reduce((best, one) => (common(one) > common(best) ? one : best));
}

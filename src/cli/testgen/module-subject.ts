import { statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyStateMachine } from 'xstate';
import { nearest } from '../../config/index.ts';
import { CoppiceError } from '../../errors.ts';
import { abstract } from '../../testing/index.ts';
import type { AbstractOptions, GenerateOptions, LiveEffects } from '../../testing/index.ts';
import type { Staging, Subject } from './subject.ts';
import { reasonOf } from './thrown.ts';

type Exports = Readonly<Record<string, unknown>>;

/** What a module may say about how its machine is tested: by exports of these names, or as keys of `testgen`. */
const COMPANIONS = [
  ...['input', 'events', 'examples', 'schemas', 'outputs', 'errors', 'snapshots'],
  ...['abstract', 'serialize', 'timers', 'inlineActors', 'stopWhen', 'unreachable', 'expect', 'budget'],
  ...['effects', 'invariant'],
];
/** Functions: the generated file takes them from the module. */
const IMPORTED = new Set(['effects', 'invariant']);

/** No machine of coppice is called like that. */
export const isFile = (name: string): boolean => /[./\\]/.test(name);

/**
 * A machine of the caller's. Rejects with TESTGEN_FILE_UNREADABLE, TESTGEN_MODULE_FAILED, TESTGEN_NO_MACHINE, TESTGEN_MANY_MACHINES,
 * TESTGEN_COMPANION_UNKNOWN.
 */
export async function moduleSubject(from: string, exported?: string): Promise<Subject> {
  const { file, found, name, machine } = await moduleMachine(from, exported);
  const { stagings, imports } = stagingsOf(found, from, name);
  const bound = name === 'default' ? 'machine' : `{ ${name === 'machine' ? name : `${name} as machine`} }`;
  return {
    name: machine.id === '(machine)' ? basename(file, extname(file)) : machine.id,
    machine,
    stagings,
    module: { file, exported: name },
    imports: [
      { names: bound, from: file },
      ...(imports.length > 0 ? [{ names: `{ ${imports.join(', ')} }`, from: file }] : []),
    ],
    companions: [...COMPANIONS, 'testgen'].filter((key) => key in found),
  };
}

/** The machine alone, with the name of its export. Rejects as `moduleSubject`. */
export async function moduleMachine(from: string, exported?: string) {
  const file = resolve(from);
  const found = await load(file, from);
  const name = machineIn(found, from, exported);
  return { file, found, name, machine: found[name] as AnyStateMachine };
}

async function load(file: string, shown: string): Promise<Exports> {
  const found = statSync(file, { throwIfNoEntry: false });
  const reason = found === undefined ? 'there is no such file' : found.isFile() ? undefined : 'it is no file';
  if (reason !== undefined) throw new CoppiceError('TESTGEN_FILE_UNREADABLE', { file: shown, reason });
  try {
    return (await import(pathToFileURL(file).href)) as Exports;
  } catch (cause) {
    throw new CoppiceError('TESTGEN_MODULE_FAILED', { file: shown, reason: reasonOf(cause) }, { cause });
  }
}

const isMachine = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'root' in value && 'implementations' in value;

/** One that is exported twice goes by the name it was given. */
function namesOfMachines(found: Exports): string[] {
  const unnamed = ['default', 'module.exports'];
  const keys = Object.keys(found).filter((key) => isMachine(found[key]));
  const inOrder = [...keys.filter((key) => !unnamed.includes(key)), ...unnamed];
  const firsts = new Map(inOrder.toReversed().map((key) => [found[key], key]));
  return keys.filter((key) => firsts.get(found[key]) === key);
}

function machineIn(found: Exports, file: string, wanted: string | undefined): string {
  const machines = namesOfMachines(found);
  if (wanted !== undefined && isMachine(found[wanted])) return wanted;
  const name =
    wanted ?? (machines.includes('machine') ? 'machine' : machines.length === 1 ? machines[0] : undefined);
  if (name !== undefined && machines.includes(name)) return name;
  const exported = Object.keys(found).join(', ') || 'nothing';
  if (wanted !== undefined && machines.length > 0)
    throw new CoppiceError('TESTGEN_NO_MACHINE', { file, wanted: `called "${wanted}"`, exported });
  if (machines.length > 1)
    throw new CoppiceError('TESTGEN_MANY_MACHINES', { file, names: machines.join(', ') });
  throw new CoppiceError('TESTGEN_NO_MACHINE', { file, wanted: 'of XState', exported });
}

/** Exports of the module hold for every entry of `testgen`, which may be one object, or a list of them with a `name` each. */
function stagingsOf(found: Exports, file: string, machine: string) {
  const loose = Object.fromEntries(
    COMPANIONS.filter((key) => key in found && key !== machine).map((key) => [key, found[key]]),
  );
  const many = Array.isArray(found['testgen']);
  const given = (many ? found['testgen'] : [found['testgen'] ?? {}]) as readonly Exports[];
  const stagings = given.map((one, index) => {
    const place = many ? `testgen[${index}]` : 'testgen';
    checkKeys(one, file, place);
    const imported = [...IMPORTED].flatMap((key) =>
      key in one ? [[key, `${place}.${key}`]] : key in loose ? [[key, key]] : [],
    );
    return stagingOf({ ...loose, ...one }, Object.fromEntries(imported) as Record<string, string>);
  });
  const used = stagings.flatMap(({ imported }) => Object.values(imported));
  return { stagings, imports: [...new Set(used.map((text) => text.replace(/[.[].*$/, '')))] };
}

function checkKeys(one: Exports, file: string, place: string): void {
  const known = [...COMPANIONS, 'name'];
  const wrong = Object.keys(one).find((key) => !known.includes(key));
  if (wrong === undefined) return;
  const hint = nearest(wrong, known) ?? known.join(', ');
  throw new CoppiceError('TESTGEN_COMPANION_UNKNOWN', { file, key: `${place}.${wrong}`, nearest: hint });
}

function stagingOf(one: Exports, imported: Readonly<Record<string, string>>): Staging {
  const { name, effects, abstract: less, ...options } = one;
  return {
    ...(typeof name === 'string' ? { name } : {}),
    options: {
      ...(less === undefined ? {} : { serialize: abstract(less as AbstractOptions) }),
      ...(options as GenerateOptions),
    },
    ...(effects === undefined ? {} : { effects: effects as LiveEffects }),
    imported,
  };
}

/** A page for every machine, `docs/machines/NAME.md`, made from its code: the chart, its source, its examples. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { EVENTS } from '../src/bus/index.ts';
import type { EventRow } from '../src/bus/index.ts';
import { invokesOf, nodesOf, pathOf, waysOutOf, type WayOut } from '../src/machines/anatomy.ts';
import { diagram, readableOf } from '../src/machines/diagram.ts';
import { effectNames } from '../src/machines/effect-missing.ts';
import * as rooms from '../src/machines/index.ts';
import { LIMITS } from '../src/machines/index.ts';
import { lifeCycle } from '../src/supervisor/index.ts';
import { readMachines, type MachineSource, type ReadSource } from './machine-source.ts';
import { anchor, code, page, table } from './markdown.ts';

interface Room {
  readonly machine: AnyStateMachine;
  readonly examples: unknown;
}

/** Every room that exports a machine of its own name. */
export const MACHINES: ReadonlyMap<string, Room> = new Map(
  Object.entries({ ...rooms, lifeCycle }).flatMap(([name, room]) => {
    const { [`${name}Machine`]: machine, examples } = room as Readonly<Record<string, unknown>>;
    return machine === undefined ? [] : [[name, { machine: machine as AnyStateMachine, examples }] as const];
  }),
);

/** The pages by path. The source is read when the first one is made. */
export function machinePages(): Record<string, () => string> {
  let reader: ReadSource | undefined;
  const read: ReadSource = (name) => (reader ??= readMachines())(name);
  const pages = [...MACHINES].map(
    ([name, room]) => [`docs/machines/${name}.md`, () => machinePage(name, room, read(name))] as const,
  );
  return { 'docs/machines/README.md': () => indexPage(read), ...Object.fromEntries(pages) };
}

function indexPage(read: ReadSource): string {
  return page(
    '# Machines',
    [
      'The statecharts coppice runs on. Each is pure: it decides, and touches the world through effects that its host hands',
      'in by name. They run in any host of XState 5, a browser included: `import { session } from "coppice/machines"`.',
      '`coppice machines show NAME` and `coppice machines diagram NAME` print what stands here.',
    ].join('\n'),
    table(
      ['machine', 'states', 'effects', ''],
      [...MACHINES].map(([name, { machine }]) => [
        `[${name}](${name}.md)`,
        String([...nodesOf(machine.root)].length - 1),
        String(effectNames(machine).length),
        firstSentence(read(name).doc),
      ]),
    ),
  );
}

const firstSentence = (text: string): string => /^.*?[.?!](?=\s|$)/.exec(text)?.[0] ?? text;

function machinePage(name: string, { machine, examples }: Room, source: MachineSource): string {
  return page(
    `# ${name}`,
    source.doc || 'It has no docstring yet.',
    usage(name, machine),
    `## Diagram\n\n\`\`\`mermaid\n${diagram(machine)}\`\`\``,
    section('Input', 'It is started with nothing.', ['field', 'type', ''], source.input.map(described)),
    section('States', '', ['state', 'kind', 'runs', 'leads to', 'stays'], statesOf(machine)),
    section('Events', 'It hears nothing.', ['event', 'example', ''], eventsOf(machine, examples, source)),
    section(
      'Effects',
      'It needs nothing from its host.',
      ['effect', 'shape', ''],
      effectsOf(machine, source),
    ),
    section('Guards', 'It has none.', ['guard', 'asked in', ''], guardsOf(machine, source)),
    section('Facts', 'It emits none.', ['fact', 'severity', ''], source.facts.map(factRow)),
    section('Limits', 'It has none of its own.', ['limit', 'value', 'because'], source.limits.map(limitRow)),
  );
}

function usage(name: string, machine: AnyStateMachine): string {
  const needed = effectNames(machine).map((effect) => effect.name);
  const effects = needed.length > 0 ? `{ ${needed.join(', ')} }` : '';
  const call = `const logic = ${name}.withEffects(${effects});`;
  const short =
    call.length <= 110
      ? call
      : `const logic = ${name}.withEffects({\n${needed.map((one) => `  ${one},\n`).join('')}});`;
  return [
    '```ts',
    "import { createActor } from 'xstate';",
    `import { ${name} } from 'coppice/${name === 'lifeCycle' ? 'supervisor' : 'machines'}';`,
    '',
    short,
    'createActor(logic, { input }).start();',
    '```',
  ].join('\n');
}

function section(
  title: string,
  none: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  return `## ${title}\n\n${rows.length > 0 ? table(head, rows) : none}`;
}

const described = ({ name, type, doc }: MachineSource['input'][number]): string[] => [
  code(name),
  code(type),
  doc,
];

function statesOf(machine: AnyStateMachine): string[][] {
  return [...nodesOf(machine.root)].map((node) => {
    const ways = waysOutOf(node);
    const stays = ways.filter(({ targets }) => targets.length === 0).map(({ on }) => code(on));
    return [
      nameOf(node),
      kindOf(node),
      invokesOf(node).map(code).join(', '),
      ways
        .filter(({ targets }) => targets.length > 0)
        .map(wayText)
        .join('; '),
      [...new Set(stays)].join(', '),
    ];
  });
}

const nameOf = (node: AnyStateNode): string => (node.parent ? code(pathOf(node)) : '_any_');
const kindOf = (node: AnyStateNode): string =>
  node.type === 'compound'
    ? `begins in ${(node.initial.target ?? []).map(({ key }) => code(key)).join(', ')}`
    : node.type;

const wayText = (way: WayOut): string =>
  `${code(readableOf(way))}${conditionOf(way)} to ${way.targets.map((one) => code(pathOf(one))).join(', ')}`;
const conditionOf = ({ guard, otherwise }: WayOut): string =>
  guard === undefined ? (otherwise ? ' else' : '') : ` if ${code(guard)}`;

/** Plain events, one example each; those without are told by others of the house, or by its own children. */
function eventsOf(machine: AnyStateMachine, examples: unknown, { eventDocs }: MachineSource): string[][] {
  const given = new Map(
    flattened(examples)
      .map((event) => [event.type, event] as const)
      .toReversed(),
  );
  return machine.events
    .filter((type) => !type.startsWith('xstate.'))
    .toSorted()
    .map((type) => [
      code(type),
      given.has(type) ? code(JSON.stringify(given.get(type))) : '',
      eventDocs.get(type) ?? '',
    ]);
}

interface Example {
  readonly type: string;
}

/** A list, or a table of events or of lists of events. */
function flattened(examples: unknown): Example[] {
  if (typeof examples !== 'object' || examples === null) return [];
  if ('type' in examples && typeof examples.type === 'string') return [examples as Example];
  return Object.values(examples).flatMap(flattened);
}

function effectsOf(machine: AnyStateMachine, { effects }: MachineSource): string[][] {
  const known = new Map(effects.map((one) => [one.name, one] as const));
  return effectNames(machine).map(({ name, kind }) => {
    const { type = '', doc = '' } = known.get(name) ?? {};
    return [`${code(name)} (${kind})`, code(type), doc];
  });
}

function guardsOf(machine: AnyStateMachine, { guardDocs }: MachineSource): string[][] {
  const nodes = [...nodesOf(machine.root)];
  const asks = (node: AnyStateNode, name: string): boolean =>
    waysOutOf(node).some(({ guard = '' }) => new RegExp(`\\b${name}\\b`).test(guard));
  return Object.keys(machine.implementations.guards).map((name) => [
    code(name),
    nodes
      .filter((node) => asks(node, name))
      .map(nameOf)
      .join(', '),
    guardDocs.get(name) ?? '',
  ]);
}

/** Some machines say what is no fact: the life cycle answers operators. */
function factRow(name: string): string[] {
  const fact = new Map<string, EventRow>(Object.entries(EVENTS)).get(name);
  return fact ? [`[${name}](../events.md#${anchor(name)})`, fact.severity, fact.doc] : [code(name), '', ''];
}

function limitRow({ name, type, doc }: MachineSource['limits'][number]): string[] {
  const value: unknown = LIMITS[name as keyof typeof LIMITS];
  return [code(name), typeof value === 'number' ? String(value) : type, doc];
}

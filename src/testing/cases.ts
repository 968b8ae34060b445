import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { CoppiceError } from '../errors.ts';
import type { EventCases, EventSchema, ModelOptions } from './contract.ts';
import { isSchema, schemaCases, typesOf } from './schema-cases.ts';
import { nodesOf } from './nodes.ts';

/** The plain events that are tried, and the types for which nobody gave one. */
export interface Cases {
  at(snapshot: AnyMachineSnapshot): readonly AnyEventObject[];
  readonly assumed: readonly string[];
}

type Source = (snapshot: AnyMachineSnapshot) => readonly AnyEventObject[];

/** Cases of `events`, `examples` and `schemas`; without `events`, also the bare `{ type }` of every type left. */
export function casesOf(machine: AnyStateMachine, options: ModelOptions): Cases {
  const fixed = [options.events, options.examples].flatMap((cases) =>
    cases === undefined ? [] : listed(cases),
  );
  const given = new Set(fixed.map(({ type }) => type));
  const made = ofSchemas(options.schemas ?? {}, given);
  const varying = [options.events, options.examples].filter((cases) => typeof cases === 'function');
  const known = new Set([...fixed, ...made].map(({ type }) => type));
  const assumed = options.events || varying.length > 0 ? [] : unknownTypes(machine, known);
  const constant = [...fixed, ...made, ...assumed.map((type) => ({ type })), ...routes(machine)];
  const sources: Source[] = [() => constant, ...(varying as Source[])];
  return { at: (snapshot) => sources.flatMap((source) => source(snapshot)), assumed };
}

/** Where the caller gave cases of a type, a schema that none can be made from is no loss. */
function ofSchemas(
  schemas: NonNullable<ModelOptions['schemas']>,
  given: ReadonlySet<string>,
): readonly AnyEventObject[] {
  const byType = isSchema(schemas) ? typesOf(schemas) : Object.entries<EventSchema>({ ...schemas });
  return byType.flatMap(([type, schema]) => {
    try {
      return schemaCases(type, schema);
    } catch (error) {
      if (given.has(type) && error instanceof CoppiceError) return [];
      throw error;
    }
  });
}

const listed = (cases: EventCases): readonly AnyEventObject[] =>
  typeof cases === 'function' ? [] : Array.isArray(cases) ? cases : Object.values(cases);

/** Plain types without a case; a wildcard is tried with a type nobody else listens for. */
function unknownTypes(machine: AnyStateMachine, known: ReadonlySet<string>): string[] {
  const types = new Set(nodesOf(machine.root).flatMap((node) => [...node.transitions.keys()]));
  return [...types]
    .filter((type) => !type.startsWith('xstate.'))
    .map((type) => (type === '*' ? 'anything.else' : type.replace(/\.\*$/, '.anything')))
    .filter((type) => !known.has(type));
}

/** `route` of XState: one event type, one target each. */
function routes(machine: AnyStateMachine): AnyEventObject[] {
  const targets = (machine.root.transitions.get('xstate.route') ?? []).flatMap(({ target }) => target ?? []);
  return targets.map(({ id }) => ({ type: 'xstate.route', to: `#${id}` }));
}

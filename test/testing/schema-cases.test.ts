import { describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import { z } from 'zod';
import { generate, isComplete, schemaCases } from '../../src/testing/index.ts';

describe('cases from a schema', () => {
  it('are the smallest, the fullest, and then each field alone at its other values', () => {
    const order = z.object({
      size: z.enum(['s', 'l']),
      count: z.int().min(1).max(9).optional(),
      gift: z.boolean(),
    });
    expect(schemaCases('ORDER', order)).toEqual([
      { type: 'ORDER', size: 's', gift: false },
      { type: 'ORDER', size: 'l', gift: true, count: 9 },
      { type: 'ORDER', size: 'l', gift: false },
      { type: 'ORDER', size: 's', gift: false, count: 1 },
      { type: 'ORDER', size: 's', gift: false, count: 9 },
      { type: 'ORDER', size: 's', gift: false, count: 2 },
      { type: 'ORDER', size: 's', gift: true },
    ]);
  });

  it.each([
    [
      'formats',
      z.object({ a: z.email(), b: z.uuid(), c: z.url(), d: z.iso.datetime(), e: z.iso.date(), f: z.ipv4() }),
    ],
    [
      'bounds',
      z.object({
        a: z.string().min(3).max(5),
        b: z.number().gt(0).lt(1),
        c: z.number().multipleOf(0.25),
        d: z.int(),
      }),
    ],
    [
      'lists and tuples',
      z
        .object({
          a: z
            .array(z.enum(['x', 'y']))
            .min(1)
            .max(2),
          b: z.tuple([z.string(), z.number()]),
          c: z.set(z.string()).optional().catch(undefined).or(z.null()),
        })
        .omit({ c: true }),
    ],
    ['records', z.object({ a: z.record(z.string().min(2), z.int()) })],
    [
      'unions',
      z.object({
        a: z.union([z.string(), z.null()]),
        b: z.discriminatedUnion('k', [
          z.object({ k: z.literal('x') }),
          z.object({ k: z.literal('y'), v: z.boolean() }),
        ]),
      }),
    ],
    ['intersections', z.intersection(z.object({ a: z.string() }), z.object({ b: z.int() }))],
    ['defaults, as input', z.object({ a: z.string().default('d'), b: z.string().transform(Number) })],
    ['literals and type', z.object({ type: z.literal('E'), v: z.literal([1, 2]) })],
    [
      'refinements, of which the unfit cases are left out',
      z.object({ from: z.int(), to: z.int() }).refine((v) => v.from < v.to),
    ],
    ['patterns', z.object({ code: z.string().regex(/^[A-Z]{3}$/) })],
  ])('%s: each is one that zod accepts, and no two are the same', (_what, schema) => {
    const cases = schemaCases('E', schema);
    expect(cases.length).toBeGreaterThan(0);
    expect(new Set(cases.map((one) => JSON.stringify(one))).size).toBe(cases.length);
    for (const one of cases) expect(schema.safeParse(one).error).toBeUndefined();
  });

  it('of a schema that holds itself come to an end', () => {
    const tree = z.object({
      name: z.string(),
      get kids() {
        return z.array(tree).optional();
      },
    });
    const cases = schemaCases('GROW', z.object({ tree }));
    expect(cases.length).toBeGreaterThan(1);
    expect(cases.length).toBeLessThanOrEqual(24);
  });

  it('come from a plain JSON schema too, and from anything with toJSONSchema', () => {
    const json = {
      type: 'object',
      properties: { n: { type: 'integer', minimum: 5, maximum: 6 } },
      required: ['n'],
    };
    const expected = [
      { type: 'E', n: 5 },
      { type: 'E', n: 6 },
    ];
    expect(schemaCases('E', json)).toEqual(expected);
    expect(schemaCases('E', { toJSONSchema: () => json })).toEqual(expected);
  });

  it.each([
    ['a date, which JSON does not have', z.object({ at: z.date() }), 'Date cannot be represented'],
    [
      'a pattern nothing known fits',
      z.object({ a: z.string().regex(/^(\w)-\1$/) }),
      'nothing that was tried fits the pattern',
    ],
    ['one nothing satisfies', z.object({ a: z.string() }).refine(() => false), 'refuses every value'],
    ['no schema at all', 'string', 'no JSON schema'],
  ])('%s: is refused, with the way out', (_what, schema, reason) => {
    expect(() => schemaCases('E', schema as never)).toThrow(
      expect.objectContaining({ code: 'TEST_SCHEMA_UNSUPPORTED', message: expect.stringContaining(reason) }),
    );
  });

  it('reach every transition of a machine whose guards look at the payload', () => {
    const shop = setup({
      types: {
        context: {} as { total: number },
        events: {} as { type: 'BUY'; count: number; gift?: boolean },
      },
    }).createMachine({
      id: 'shop',
      context: { total: 0 },
      on: {
        BUY: [
          { guard: ({ event }) => event.gift === true },
          { guard: ({ event }) => event.count > 1, actions: assign({ total: 2 }) },
          { actions: assign({ total: 1 }) },
        ],
      },
    });
    const schemas = { BUY: z.object({ count: z.int().min(1).max(9), gift: z.boolean().optional() }) };
    const { coverage, assumed } = generate(shop, { schemas });
    expect(coverage).toSatisfy(isComplete);
    expect(assumed).toEqual([]);
    expect(generate(shop).coverage).not.toSatisfy(isComplete);
  });
});

describe('a pattern', () => {
  it.each([
    String.raw`^[A-Z]{3}\d{2}$`,
    String.raw`^(?:GET|POST) \/[a-z0-9-]+(?:\/[a-z]+)*$`,
    String.raw`^\+?[1-9]\d{1,14}$`,
    String.raw`^[^@\s]+@[^@\s]+\.[a-z]{2,}$`,
    String.raw`^(?=.*\d).{8,20}$`,
    String.raw`^#(?:[0-9a-f]{3}|[0-9a-f]{6})$`,
    String.raw`^v?(\d+)\.(\d+)(?:-([\w.-]+))?$`,
    String.raw`^[0-9A-HJKMNP-TV-Z]{26}$`,
    String.raw`^[\p{L} \u0041]+$`,
    String.raw`\bfoo\b.*[^a-z]$`,
  ])('gets texts that it accepts: %s', (source) => {
    const pattern = new RegExp(source, 'u');
    const codes = schemaCases('E', z.object({ code: z.string().regex(pattern) })).map(({ code }) =>
      String(code),
    );
    expect(codes.length).toBeGreaterThan(0);
    for (const code of codes) expect(code).toMatch(pattern);
  });
});

describe('one schema of all events', () => {
  const events = z.discriminatedUnion('type', [
    z.object({ type: z.literal('add'), count: z.int().min(1).max(5) }),
    z.object({ type: z.enum(['pay', 'owe']), card: z.string().length(4) }),
  ]);
  const cart = setup({
    types: { context: {} as { count: number }, events: {} as z.infer<typeof events> },
  }).createMachine({
    id: 'cart',
    context: { count: 0 },
    initial: 'open',
    states: {
      open: {
        on: {
          add: { guard: ({ event }) => event.count === 5, actions: assign({ count: 5 }) },
          pay: { guard: ({ event }) => event.card.length === 4, target: 'paid' },
        },
      },
      paid: { on: { owe: 'open' } },
    },
  });

  it('is told apart by type', () => {
    const { paths, assumed, coverage } = generate(cart, { schemas: events });
    expect(assumed).toEqual([]);
    expect(coverage.guards['open add [guard]']).toMatchObject({ taken: 1 });
    const sent = paths.flatMap(({ steps }) => steps.map(({ event }) => event));
    expect(sent).toContainEqual({ type: 'pay', card: 'abcd' });
    expect(sent).toContainEqual({ type: 'owe', card: 'abcd' });
  });

  it('says so when a member has no type', () => {
    expect(() => generate(cart, { schemas: z.union([z.object({ count: z.int() }), events]) })).toThrow(
      expect.objectContaining({
        code: 'TEST_SCHEMA_UNSUPPORTED',
        message: expect.stringContaining('says its type'),
      }),
    );
  });
});

it('a schema that nothing can be made of is no loss where the caller gives cases of that event', () => {
  const machine = setup({ types: { events: {} as { type: 'at'; when: Date } } }).createMachine({
    id: 'dated',
    on: { at: { guard: ({ event }) => event.when instanceof Date, actions: () => undefined } },
  });
  const schemas = { at: z.object({ when: z.date() }) };
  expect(() => generate(machine, { schemas })).toThrow('Date cannot be represented');
  const { coverage } = generate(machine, { schemas, examples: [{ type: 'at', when: new Date(0) }] });
  expect(coverage.transitions).toEqual({ '(root) at [guard]': 1 });
});

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createTools, defineTool, toModelTools } from '../../src/tools/index.ts';

const extra = (name: string, input: z.ZodType = z.object({})) =>
  defineTool({ name, description: 'x', input, idempotent: false, run: async () => 1 });
const names = (config: Parameters<typeof createTools>[0]): string[] => [...createTools(config).keys()];

describe('createTools', () => {
  test('offers the built-ins, and what is added', () => {
    expect(names({})).toEqual(['list', 'read']);
    expect(names({ extra: [extra('mine')] })).toEqual(['list', 'read', 'mine']);
  });

  test.each([
    [{ allow: ['read'] }, ['read']],
    [{ allow: [] }, []],
    [{ deny: ['LIST'] }, ['read']],
    [{ allow: ['*'], deny: ['re*'] }, ['list']],
    [{ deny: ['*'] }, []],
    [{ allow: ['l.st', 'rea?'] }, []],
  ])('%o leaves %o', (config, expected) => expect(names(config)).toEqual(expected));

  test.each([
    ['a name no API takes', [extra('my tool')], /"my tool" cannot be offered.*name has/],
    ['a name used twice', [extra('read')], /"read" cannot be offered.*another tool/],
    ['an input that is no object', [extra('a', z.string())], /"a" cannot be offered.*no object/],
    [
      'an input without JSON Schema',
      [extra('a', z.object({ at: z.date() }))],
      /"a" cannot be offered.*no JSON Schema/,
    ],
  ])('%s is refused by name', (_name, tools, expected) => {
    expect(() => createTools({ extra: tools })).toThrow(expected);
  });

  test('a denied tool is not even checked, so that a broken one can be switched off', () => {
    expect(names({ extra: [extra('my tool')], deny: ['my tool'] })).toEqual(['list', 'read']);
  });
});

describe('toModelTools', () => {
  test('tells the model the input before defaults and transforms', () => {
    const tool = extra(
      't',
      z.object({ n: z.int().default(3), when: z.string().transform((text) => new Date(text)) }),
    );
    const [told] = toModelTools(createTools({ allow: ['t'], extra: [tool] }));
    expect(told).toMatchObject({
      name: 't',
      inputSchema: { type: 'object', required: ['when'], properties: { when: { type: 'string' } } },
    });
    expect(told?.inputSchema).not.toHaveProperty('$schema');
  });

  test('the built-ins need nothing but a path', () => {
    const told = toModelTools(createTools());
    expect(told.map(({ inputSchema }) => inputSchema['required'])).toEqual([undefined, ['path']]);
    expect(JSON.parse(JSON.stringify(told))).toEqual(told);
  });
});

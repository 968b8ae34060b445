import type { Plain } from '../../testing/index.ts';

/** A line of a generated file is at most this wide, where that is possible. */
export const WIDTH = 108;

/** Code that can be written in one line, or over several. */
export interface Code {
  readonly flat: string;
  broken(indent: string): string;
}

/** Code that stays in one line whatever it takes. */
export const words = (text: string): Code => ({ flat: text, broken: () => text });

/** In one line if there is room for it behind what stands before it, else over several. */
export function laid({ flat, broken }: Code, indent: string, before = ''): string {
  return indent.length + before.length + flat.length <= WIDTH ? flat : broken(indent);
}

/** `f(a, b)`; if that is too long, with the last argument over several lines, or with one argument a line. */
export function call(name: string, parts: readonly Code[]): Code {
  const all = bracketed(`${name}(`, parts, ')', '');
  const last = parts.at(-1);
  const head = `${name}(${parts
    .slice(0, -1)
    .map(({ flat }) => `${flat}, `)
    .join('')}`;
  const hugs = last !== undefined && /^(?:\w+\()?[[{]/.test(last.flat.replace(/^at\(.*?, /, ''));
  return {
    flat: all.flat,
    broken: (indent) => {
      if (!hugs || indent.length + head.length > WIDTH - 20) return all.broken(indent);
      return `${head}${last.broken(indent)})`;
    },
  };
}

/** A text in single quotes. */
export function quoted(text: string): string {
  const inner = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"');
  return inner.includes("'") && !inner.includes('"')
    ? `"${inner}"`
    : `'${inner.replaceAll("'", String.raw`\'`)}'`;
}

/** Plain data as a programmer writes it. */
export function literal(value: Plain): Code {
  if (typeof value === 'string') return words(quoted(value));
  if (value === null || typeof value !== 'object') return words(String(value));
  if (Array.isArray(value)) return bracketed('[', value.map(literal), ']', '');
  const entries = Object.entries(value as Readonly<Record<string, Plain>>);
  return bracketed(
    '{',
    entries.map(([key, part]) => entry(key, literal(part))),
    '}',
    ' ',
  );
}

/** `key: value` of an object. */
export function entry(key: string, value: Code): Code {
  const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key);
  return {
    flat: `${name}: ${value.flat}`,
    broken: (indent) => `${name}: ${laid(value, indent, `${name}: ,`)}`,
  };
}

function bracketed(open: string, parts: readonly Code[], close: string, space: string): Code {
  if (parts.length === 0) return words(open + close);
  return {
    flat: `${open}${space}${parts.map(({ flat }) => flat).join(', ')}${space}${close}`,
    broken(indent) {
      const inner = `${indent}  `;
      const lines = parts.map((part) => `${inner}${laid(part, inner, ',')},\n`);
      return `${open}\n${lines.join('')}${indent}${close}`;
    },
  };
}

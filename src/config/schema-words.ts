import { z } from 'zod';
import { parseDuration } from './duration.ts';

/** The words the schema is written in. Each takes the description that the documents show. */

export const text = (description: string) => z.string().meta({ description });
export const texts = (description: string) => z.array(z.string()).meta({ description });
export const flag = (description: string) => z.boolean().meta({ description });
export const count = (description: string, min = 0) => z.int().min(min).meta({ description });
export const ms = (description: string) => z.int().min(0).max(2_147_483_647).meta({ description });
export const choice = <const T extends readonly [string, ...string[]]>(names: T, description: string) =>
  z.enum(names).meta({ description });
/** A literal, `env:NAME` or `file:PATH`; resolved at load, never printed. */
export const secret = (description: string) => z.string().min(1).meta({ description, secret: true });
/** An object whose keys may be left out altogether. */
export const group = <S extends z.core.$ZodLooseShape>(shape: S, description: string) =>
  z.strictObject(shape).meta({ description });

export const duration = (description: string, bareUnit: 'ms' | 's' | 'm') =>
  z
    .union([z.string(), z.number()])
    .meta({ description, kind: 'duration' })
    .transform((value, context) => {
      const parsed = parseDuration(value, bareUnit);
      if (parsed !== undefined) return parsed;
      context.addIssue({
        code: 'custom',
        message: `${JSON.stringify(value)} is no duration; write "30m", "60s" or "1h30m"`,
      });
      return z.NEVER;
    });

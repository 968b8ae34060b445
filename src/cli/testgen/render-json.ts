import { coverageLine } from './header.ts';
import { sizeOf } from './made.ts';
import type { Made } from './made.ts';
import { MARK, regenerateCommand } from './regenerate.ts';
import type { Place } from './header.ts';

/** The same as data, for another tool: every part with its input and its paths as `replayLive` takes them. */
export function jsonFile(made: Made, place: Place): string {
  const { subject, choice, parts, coverage, missing } = made;
  const [{ generated }] = parts as [(typeof parts)[number]];
  return `${JSON.stringify(
    {
      generator: `${MARK}. ${coverageLine(made)}`,
      regenerate: regenerateCommand(subject, choice, place),
      machine: subject.name,
      ...{ strategy: generated.strategy, seed: generated.seed, ...sizeOf(parts) },
      coverage,
      missing,
      parts: parts.map((part) => ({
        ...(part.staging.name === undefined ? {} : { name: part.staging.name }),
        ...part.given,
        ...{ cut: part.generated.cut, assumed: part.generated.assumed, unhandled: part.generated.unhandled },
        paths: part.paths,
      })),
    },
    null,
    2,
  )}\n`;
}

import type { z } from 'zod';
import { count, flag, group, texts } from './schema-words.ts';

/** When a model that repeats itself is warned and stopped: for all agents, and where one of them differs. */

const words = {
  enabled: flag('Warn a model that repeats itself, and end its turn when it goes on.'),
  historySize: count('Calls that are remembered; at least criticalThreshold.', 1),
  warningThreshold: count('Repetitions before the model is warned.', 1),
  criticalThreshold: count('Repetitions without anything new before the turn ends.', 2),
  globalCircuitBreakerThreshold: count(
    'Calls in a row, whichever they are, without anything new before the turn ends.',
    3,
  ),
  pollTools: texts('Tools that are meant to be asked again and again, beside command_status and process.'),
};
const detectorWords = {
  genericRepeat: flag('The same call again and again.'),
  knownPollNoProgress: flag('A poll whose answer does not change.'),
  pingPong: flag('Two calls that take turns.'),
};
const DETECTORS = 'Single detectors on or off.';

export const loopDetection = group(
  {
    enabled: words.enabled.prefault(true),
    historySize: words.historySize.prefault(30),
    warningThreshold: words.warningThreshold.prefault(10),
    criticalThreshold: words.criticalThreshold.prefault(20),
    globalCircuitBreakerThreshold: words.globalCircuitBreakerThreshold.prefault(30),
    pollTools: words.pollTools.prefault([]),
    detectors: group(
      {
        genericRepeat: detectorWords.genericRepeat.prefault(true),
        knownPollNoProgress: detectorWords.knownPollNoProgress.prefault(true),
        pingPong: detectorWords.pingPong.prefault(true),
      },
      DETECTORS,
    ).prefault({}),
  },
  'Loop detection.',
);

type Optional<S extends Readonly<Record<string, z.ZodType>>> = { [K in keyof S]: z.ZodOptional<S[K]> };
const optional = <S extends Readonly<Record<string, z.ZodType>>>(shape: S): Optional<S> =>
  Object.fromEntries(Object.entries(shape).map(([key, word]) => [key, word.optional()])) as Optional<S>;

export const agentLoopDetection = group(
  { ...optional(words), detectors: group(optional(detectorWords), DETECTORS).optional() },
  'Its loop detection, key by key over `tools.loopDetection`.',
);

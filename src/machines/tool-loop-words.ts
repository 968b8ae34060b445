/** What the model and people are told about a tool loop. */
import type { LoopFinding } from './tool-loop-detect.ts';

const MARK = '[tool loop] ';
const WARNED = /\n\n\[tool loop\] [^\n]*$/;

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

/** What happened, for the middle of a sentence. */
function happened({ detector, toolName, pairedToolName, count, stuck }: LoopFinding): string {
  switch (detector) {
    case 'ping_pong': {
      const sides =
        pairedToolName === null || pairedToolName === toolName
          ? `two calls of the tool "${toolName}"`
          : `the tools "${toolName}" and "${pairedToolName}"`;
      return `the last ${count} calls went back and forth between ${sides}${stuck ? ', and nothing changed' : ''}`;
    }
    case 'global_circuit_breaker':
      return `${count} tool calls in a row, the last of them to "${toolName}", brought nothing that was not known`;
    case 'known_poll_no_progress':
      return `the tool "${toolName}" was asked ${times(count)} and its answer never changed`;
    case 'generic_repeat':
      return stuck
        ? `the tool "${toolName}" was called ${times(count)} with the same input and gave the same result each time`
        : `the tool "${toolName}" was called ${times(count)} with the same input`;
  }
}

/** For the model. `endsAt`: when it is ended. */
export function warningText(finding: LoopFinding, endsAt: number): string {
  const consequence = finding.stuck
    ? `Try something else, or answer with what you have; at ${endsAt} this turn is ended.`
    : 'If that brings you no further, try something else, or answer with what you have.';
  return `${capital(happened(finding))} (${finding.detector}). ${consequence}`;
}

/** For whoever asked. */
export const endingText = (finding: LoopFinding): string =>
  `I stopped here: ${happened(finding)} (${finding.detector}).`;

/** For a call that is not made any more. */
export const refusalText = (finding: LoopFinding): string => `${NOT_RUN}${happened(finding)}.`;
const NOT_RUN = 'Not run, because of a tool loop: ';
export const isRefusal = (output: unknown): boolean =>
  typeof output === 'string' && output.startsWith(NOT_RUN);

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Text with a warning behind it. */
export const withWarning = (text: string, warning: string): string => `${text}\n\n${MARK}${warning}`;
export const withoutWarning = (text: string): string => text.replace(WARNED, '');

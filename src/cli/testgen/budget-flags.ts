import type { Budget } from '../../testing/index.ts';

/** Options of the command, and the budget each stands for. */
export const BUDGET_FLAGS: Readonly<Record<keyof Budget, string>> = {
  states: 'max-states',
  transitions: 'max-transitions',
  paths: 'max-paths',
  steps: 'max-steps',
  pathSteps: 'path-steps',
};

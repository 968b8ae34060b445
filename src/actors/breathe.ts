import type { Clock } from '../supervisor/index.ts';

/** Lets everything else run: resolves in the next macrotask. */
export const breathe = (clock: Clock): Promise<void> => new Promise((resolve) => clock.defer(resolve));

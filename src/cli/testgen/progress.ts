import type { Progress } from '../../testing/index.ts';
import type { Output } from '../io.ts';

/** Nothing is shown of what takes no longer than this. */
const SHORT_MS = 500;

export interface Shown {
  tell(progress: Progress): void;
  end(): void;
}

/** One line on a terminal that says how far it is, and is gone at the end. Nothing where nobody looks. */
export function progressOn(output: Output, name: string, now: () => number = () => performance.now()): Shown {
  if (!output.isTTY) return { tell: () => undefined, end: () => undefined };
  const startedAt = now();
  let shown = false;
  const count = (number: number): string => number.toLocaleString('en-US');
  return {
    tell({ phase, states, transitions, paths }) {
      if (now() - startedAt < SHORT_MS) return;
      shown = true;
      const told =
        phase === 'explore'
          ? `${count(states)} states, ${count(transitions)} transitions`
          : `${count(paths)} paths, ${count(transitions)} steps`;
      output.write(`\r\u001B[2K${name}: ${told} ...`);
    },
    end() {
      if (shown) output.write('\r\u001B[2K');
    },
  };
}

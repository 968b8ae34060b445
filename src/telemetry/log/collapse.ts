/**
 * A burst of identical lines becomes its first line and, when the window is over, its last line with a count. Others
 * pass untouched, however they are mixed. So a fault that repeats 10,000 times a second costs two lines a window.
 */
export interface Collapser {
  /** One JSON line, its newline included. */
  write(line: string, level: number): void;
  /** Writes the summaries that are due; all of them with `everything`. */
  sweep(everything?: boolean): void;
  readonly collapsed: number;
}

interface Burst {
  readonly since: number;
  repeats: number;
  last: string;
  readonly level: number;
}

const WINDOW_MS = 10_000;
/** Distinct lines remembered. Beyond that the oldest burst is summed up early. */
const MAX_BURSTS = 500;

/** What differs between two lines that say the same. */
const VOLATILE = /"(?:time|ts|seq)":\d+,?/g;

export function createCollapser(options: {
  now(): number;
  write(line: string, level: number): void;
}): Collapser {
  const bursts = new Map<string, Burst>();
  let collapsed = 0;
  const close = (key: string, burst: Burst): void => {
    bursts.delete(key);
    if (burst.repeats > 0) options.write(withCount(burst.last, burst.repeats), burst.level);
  };
  const sweep = (everything = false): void => {
    const due = options.now() - WINDOW_MS;
    for (const [key, burst] of bursts) {
      // Bursts stand in the order of their beginning.
      if (!everything && burst.since > due) return;
      close(key, burst);
    }
  };
  return {
    write(line, level) {
      sweep();
      const key = line.replaceAll(VOLATILE, '');
      const burst = bursts.get(key);
      if (burst) {
        burst.repeats += 1;
        burst.last = line;
        collapsed += 1;
        return;
      }
      bursts.set(key, { since: options.now(), repeats: 0, last: line, level });
      const [oldest] = bursts;
      if (bursts.size > MAX_BURSTS && oldest) close(...oldest);
      options.write(line, level);
    },
    sweep,
    get collapsed() {
      return collapsed;
    },
  };
}

/** `repeated`: how many lines this one stands for, itself included. */
function withCount(line: string, repeats: number): string {
  return line.replace(/\}\s*$/, `,"repeated":${repeats}}\n`);
}

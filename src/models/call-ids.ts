/**
 * Ids of tool calls as every format takes them: letters, digits, `_` and `-`, 64 at most, each used once. Sessions
 * hold ids from whichever provider answered; some servers write `functions.list:0`, or begin at `call_1` in every
 * answer, and the next provider would refuse the whole conversation for it.
 */
export interface CallIds {
  /** For a call; later results with the same id belong to it. */
  call(id: string): string;
  /** For a result. */
  result(id: string): string;
}

const LONGEST = 64;
const clean = (id: string): string => id.replaceAll(/[^\w-]/g, '_').slice(0, LONGEST) || 'call';

function unused(id: string, used: ReadonlySet<string>): string {
  if (!used.has(id)) return id;
  for (let n = 2; ; n += 1) {
    const tail = `_${n}`;
    const next = `${id.slice(0, LONGEST - tail.length)}${tail}`;
    if (!used.has(next)) return next;
  }
}

/** For one conversation, read from its beginning: the same conversation gets the same ids. */
export function createCallIds(): CallIds {
  const used = new Set<string>();
  const latest = new Map<string, string>();
  return {
    call(id) {
      const own = unused(clean(id), used);
      used.add(own);
      latest.set(id, own);
      return own;
    },
    result: (id) => latest.get(id) ?? clean(id),
  };
}

/**
 * A run, step by step: the answer of the operation, then `start path`, `refuse path`, `end path reason`,
 * `report supervisor child what`, then who is there (`has path up|down`, or `gone`).
 */
import type { Script } from './script.ts';

export type Trace = readonly (readonly string[])[];

/** Where ours departs from OTP on purpose. Each is taken out of the one trace, or out of both, here and nowhere else. */
export function normaliseOurs(trace: Trace, script: Script): Trace {
  return trace.map((events, i) => {
    const op = script.ops[i - 1];
    let kept = events
      // Restarts go through the clock, and that is said; OTP restarts in the failing turn.
      .filter((e) => !/^report \S+ \S+ restart_scheduled$/.test(e))
      // OTP says why a supervisor ends only when it is exhausted; ours always does.
      .filter((e) => !/^report \S+ \S+ shutdown$/.test(e))
      // A worker killed at its deadline ends with `timeout`; OTP calls it `killed`, as any other kill.
      .map((e) => e.replace(/^(end \S+|report \S+ \S+ shutdown_error) timeout$/, '$1 killed'));
    // A start asked for that fails is reported too, not only answered: the log shows every failed start.
    if (events[0] === 'start_failed' && (op?.kind === 'start' || op?.kind === 'restart')) {
      const id = op.kind === 'start' ? op.spec.id : op.id;
      const at = kept.indexOf(`report ${op.path} ${id} start_error`);
      kept = kept.filter((_, n) => n !== at);
    }
    return exhaustion(aborts(kept), 'exhausted');
  });
}

export const normaliseOtp = (trace: Trace): Trace =>
  trace.map((events) => exhaustion(aborts(events), 'shutdown'));

/**
 * A supervisor that fails to start stops what it had started in the same turn, since its parent waits for the answer
 * in that turn: brutally, and without reports. OTP asks each child. The order is the same, and is compared.
 */
function aborts(events: readonly string[]): string[] {
  const result = [...events];
  for (let i = 0; i < result.length; i += 1) {
    const failed = /^end (\S+) failed$/.exec(result[i]!)?.[1];
    if (failed === undefined) continue;
    let from = i;
    while (from >= 0 && !new RegExp(`^report ${failed} \\S+ start_error$`).test(result[from]!)) from -= 1;
    const within = result
      .slice(from + 1, i)
      .filter((e) => !e.includes(' shutdown_error '))
      .map((e) => e.replace(/^(end \S+) .*$/, '$1 aborted'));
    result.splice(from + 1, i - from - 1, ...within);
    i = from + 1 + within.length;
  }
  return result;
}

/** OTP says `shutdown: reached_max_restart_intensity` before it stops the children, ours when they have stopped. */
function exhaustion(events: readonly string[], word: string): string[] {
  const exhausted = new Set<string>();
  const result: string[] = [];
  for (const event of events) {
    const who = new RegExp(`^report (\\S+) \\S+ ${word}$`).exec(event)?.[1];
    const gone = /^end (\S+) shutdown$/.exec(event)?.[1];
    if (who !== undefined) exhausted.add(who);
    else if (gone !== undefined && exhausted.delete(gone)) result.push(`end ${gone} exhausted`);
    else result.push(event);
  }
  return [...result, ...[...exhausted].map((path) => `exhausted ${path} and alive`)];
}

/** The first step where the two differ, as text, or undefined. */
export function difference(script: Script, ours: Trace, otp: Trace): string | undefined {
  const a = normaliseOurs(ours, script);
  const b = normaliseOtp(otp);
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const [left, right] = [a[i] ?? ['no such step'], b[i] ?? ['no such step']];
    if (left.join(';') === right.join(';')) continue;
    const what = i === 0 ? 'boot' : JSON.stringify(script.ops[i - 1]);
    return `step ${i} (${what})\n ours:\n  ${left.join('\n  ')}\n OTP:\n  ${right.join('\n  ')}`;
  }
  return undefined;
}

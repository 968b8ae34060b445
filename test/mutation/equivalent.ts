const INITIAL =
  'every way into it names the state inside, so nobody enters by this door; XState wants one all the same';
const WAITING =
  'waiting holds nothing in hand and has a time to wake, and its ways out of that go elsewhere: idle and delivering lead straight back to waiting, and what they set on the way is cancelled';
const RESUMING =
  'it was switched off before it goes there, and resuming leads whoever is off straight to disabled';

/**
 * Faults that no observer can tell from the machine as it should be, by machine and exact name, each with its reason.
 * One that is caught, or that is no longer planted, is an error of this list.
 */
export const EQUIVALENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  heartbeat: {
    'armed on heartbeat.set #1: target disabled -> resuming': RESUMING,
    'settled always #1: target disabled -> resuming': RESUMING,
  },
  lifeCycle: {
    'starting: begins in booting instead of returning': INITIAL,
    'stopping: begins in terminating instead of ending': INITIAL,
    'parked: begins in probing instead of held': INITIAL,
  },
  outbox: {
    'waiting after wake: target waiting -> delivering': WAITING,
    'waiting after wake: target waiting -> idle': WAITING,
  },
  run: {
    'backoff after backoffStep #1: target backoff -> judging':
      'the verdict is still to wait and no text is left, so judging leads straight back to backoff and drops an answer that is gone already',
  },
  session: {
    'processing.desk.resting after dismissBackoff: target processing.desk.quiet -> processing.desk.committing':
      'whoever rests still has somebody to dismiss, and quiet leads straight to committing then',
  },
};

/** Entries for mutants that are not planted any more. */
export function unknownEquivalents(machine: string, names: readonly string[]): string[] {
  return Object.keys(EQUIVALENT[machine] ?? {})
    .filter((name) => !names.includes(name))
    .map((name) => `${machine}: ${name}`);
}

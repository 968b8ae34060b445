/** Where orders and questions to a partitioned supervisor go. To any other they go themselves. */
import { CoppiceError, normalizeError } from '../errors.ts';
import { partitionId, partitionOf } from './partition-key.ts';
import { whichChildren, type ChildRow } from './query.ts';
import { childPath, type AdminCommand, type Shell, type SupervisorEnv } from './shell.ts';
import { specInvalid, type SpecFault } from './spec-fault.ts';
import type { Reply } from './state.ts';
import { encodeSegment, type Entry } from './tree.ts';

/** One partition of a supervisor. `path` names it in reports and for `kill` and `hold`; no child's path contains it. */
export interface PartitionRow extends Pick<ChildRow, 'path' | 'child'> {
  readonly partition: number;
  /** The children it holds. */
  readonly children: number;
}

const refusal = (reason: 'not_found' | 'restarting'): Reply => ({ ok: false, reason });

/** The row whose supervisor takes the order, or the answer if there is none. */
export function destination(
  env: SupervisorEnv,
  supervisorPath: string,
  command: AdminCommand,
): Entry | Reply {
  if (!ORDERS.has((command as AdminCommand | undefined)?.type)) return notAnOrder(command);
  const entry = env.table.entry(supervisorPath);
  const shell = entry?.ref && env.shells.get(entry.ref);
  if (!shell) return refusal('not_found');
  return shell.partitions === 0 ? entry : partitionFor(env, supervisorPath, shell.partitions, command);
}

function partitionFor(
  env: SupervisorEnv,
  path: string,
  partitions: number,
  command: AdminCommand,
): Entry | Reply {
  if (command.type === 'change') return unchangeable();
  const { id, key } = addressee(command);
  const holder = env.table.entry(`${path}/${encodeSegment(id)}`)?.parent;
  // It may have been started under a key that its id does not tell.
  if (holder?.ref) return holder;
  if (command.type !== 'start_child') return refusal(holder ? 'restarting' : 'not_found');
  const partition = env.table.entry(`${path}/${partitionId(partitionOf(key, partitions))}`);
  return partition?.ref ? partition : refusal('restarting');
}

function addressee(command: Exclude<AdminCommand, { type: 'change' }>): { id: string; key: string } {
  if (command.type !== 'start_child') return { id: command.id, key: command.id };
  // A spec that is none is refused by the partition it falls to.
  const { id, partitionKey } = (command.spec ?? {}) as { id?: unknown; partitionKey?: unknown };
  return { id: String(id), key: String(partitionKey ?? id) };
}

const invalid = (fault: SpecFault): Reply => ({
  ok: false,
  reason: 'spec_invalid',
  error: normalizeError(specInvalid(fault)),
});

function unchangeable(): Reply {
  const expected = 'what they were: change one partition by its own path, or start another supervisor';
  return invalid({ field: 'partitions', value: 'a change', expected });
}

const ORDERS: ReadonlySet<unknown> = new Set<AdminCommand['type']>([
  'start_child',
  'terminate_child',
  'restart_child',
  'delete_child',
  'change',
  'kill',
  'park',
  'unpark',
]);

function notAnOrder(command: AdminCommand | undefined): Reply {
  return invalid({ field: 'type', value: command?.type, expected: [...ORDERS].join(', ') });
}

/** An id that lives in another partition of the same supervisor is taken, whatever its key. */
export function takenElsewhere(env: SupervisorEnv, shell: Shell, command: AdminCommand): Reply | undefined {
  if (command.type !== 'start_child' || !isPartition(shell)) return undefined;
  const { id } = command.spec;
  const path = childPath(shell, id);
  // What its start there has opened in vain is not closed yet.
  if (env.closing.has(path) && !shell.closing.has(id)) return refusal('restarting');
  const row = env.table.entry(path);
  if (!row?.parent?.ref || row.parent.path === shell.input.path) return undefined;
  return { ok: false, reason: row.ref ? 'already_started' : 'already_present' };
}

/** Or the one over them. */
const isPartition = ({ home, input, partitions }: Shell): boolean => partitions > 0 || home !== input.path;

/** The supervisors that hold the children of `path`: its living partitions, or itself. Throws ACTOR_NOT_FOUND. */
export function holders(env: SupervisorEnv, path: string): Shell[] {
  const shell = shellAt(env, path);
  return shell.partitions === 0
    ? [shell]
    : partitionRows(shell).flatMap((row) => livingShell(env, row.path) ?? []);
}

export const whichPartitions = (env: SupervisorEnv, path: string): PartitionRow[] => {
  const shell = shellAt(env, path);
  const rows = shell.partitions === 0 ? [] : partitionRows(shell);
  return rows.map((row, partition) => ({
    partition,
    path: row.path,
    child: row.child,
    children: livingShell(env, row.path)?.state.children.size ?? 0,
  }));
};

const partitionRows = (shell: Shell): ChildRow[] => whichChildren(shell);

export function shellAt(env: SupervisorEnv, path: string): Shell {
  const shell = livingShell(env, path);
  if (!shell) throw new CoppiceError('ACTOR_NOT_FOUND', { path });
  return shell;
}

function livingShell({ table, shells }: SupervisorEnv, path: string): Shell | undefined {
  const ref = table.entry(path)?.ref;
  return ref && shells.get(ref);
}

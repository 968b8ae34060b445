/** What may be asked about a supervisor at any time, also in the middle of an operation. Reads, changes nothing. */
import { checkChildSpec, checkSiblings, type ChildSpec, type SupervisorSpec } from './child-spec.ts';
import { childPath, type Shell } from './shell.ts';
import type { Child, ChildPolicy } from './state.ts';

/** One row of OTP's `which_children`, in start order. */
export interface ChildRow {
  readonly id: string;
  readonly path: string;
  /** The living incarnation; `restarting` while it waits for its restart, `parked` while it is held down. */
  readonly child: number | 'restarting' | 'parked' | undefined;
  readonly type: 'worker' | 'supervisor';
}

/** OTP's `count_children`: all specs, those that live, and all specs by type. */
export interface ChildCount {
  readonly specs: number;
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}

/** A spec with its defaults filled in. A temporary child's `input` is not kept. */
export type FullChildSpec = ChildSpec & Omit<ChildPolicy, 'backoff'>;

/** Whether specs can be started, and if not, which field is why. */
export type SpecCheck =
  | { readonly ok: true }
  | { readonly ok: false; readonly field: string; readonly value: unknown; readonly expected: string };

export const whichChildren = (shell: Shell): ChildRow[] =>
  [...shell.state.children.values()].map((child) => ({
    id: child.id,
    path: childPath(shell, child.id),
    child: lifeOf(child),
    type: child.policy.type,
  }));

export function countChildren(shell: Shell): ChildCount {
  const children = [...shell.state.children.values()];
  const supervisors = children.filter((child) => child.policy.type === 'supervisor').length;
  return {
    specs: children.length,
    active: children.filter((child) => typeof lifeOf(child) === 'number').length,
    supervisors,
    workers: children.length - supervisors,
  };
}

export const NOBODY: ChildCount = { specs: 0, active: 0, supervisors: 0, workers: 0 };

export const sumOf = (a: ChildCount, b: ChildCount): ChildCount => ({
  specs: a.specs + b.specs,
  active: a.active + b.active,
  supervisors: a.supervisors + b.supervisors,
  workers: a.workers + b.workers,
});

export function fullSpec(shell: Shell, id: string): FullChildSpec | undefined {
  const child = shell.state.children.get(id);
  const spec = shell.rows.get(id)?.spec;
  if (!child || !spec) return undefined;
  const { restart, shutdown, type, significant, quarantine = false } = child.policy;
  return { ...spec, restart, shutdown, type, significant, quarantine };
}

/** Checks child specs without starting anything (OTP's `supervisor:check_childspecs`). */
export function checkChildSpecs(
  specs: readonly ChildSpec[],
  autoShutdown: SupervisorSpec['autoShutdown'] = 'any_significant',
): SpecCheck {
  if (!Array.isArray(specs))
    return { ok: false, field: 'children', value: specs, expected: 'a list of child specs' };
  const fault =
    specs.map((spec) => checkChildSpec(spec, autoShutdown)).find((f) => f) ?? checkSiblings(specs);
  return fault ? { ok: false, ...fault } : { ok: true };
}

function lifeOf(child: Child): ChildRow['child'] {
  if (child.status === 'backing-off') return 'restarting';
  if (child.status === 'parked') return 'parked';
  return child.status === 'stopped' ? undefined : child.incarnation;
}

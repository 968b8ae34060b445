/** What a connection may do. Write implies read, admin implies all. */
export type Scope =
  | 'operator.read'
  | 'operator.write'
  | 'operator.admin'
  | 'operator.approvals'
  | 'operator.pairing';

export const ALL_SCOPES: readonly Scope[] = [
  'operator.admin',
  'operator.read',
  'operator.write',
  'operator.approvals',
  'operator.pairing',
];

/** A shared token grants the operator scopes that are asked for, and all of them when none is. */
export function grantScopes(requested: readonly string[]): string[] {
  if (requested.length === 0) return [...ALL_SCOPES];
  return [...new Set(requested.filter((scope) => /^operator\.[a-z.]{1,40}$/.test(scope)))];
}

export function hasScope(granted: readonly string[], needed: Scope): boolean {
  if (granted.includes('operator.admin') || granted.includes(needed)) return true;
  return needed === 'operator.read' && granted.includes('operator.write');
}

/** Paths as people type them: the leading `gateway/` may be left out. */
export function treePath(given: string): string {
  const path = given.replace(/\/+$/, '');
  return path === 'gateway' || path.startsWith('gateway/') ? path : `gateway/${path}`;
}

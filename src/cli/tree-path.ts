/** Paths as people type them: the leading `gateway/` may be left out. */
export function treePath(given: string): string {
  const path = given.replace(/\/+$/, '');
  return path === 'gateway' || path.startsWith('gateway/') ? path : `gateway/${path}`;
}

/** What `explain` is asked about: a session key, unless it begins like a path of the tree. */
export function subjectOf(given: string): string {
  return /^(?:gateway|watch|control|core)(?:\/|$)/.test(given) ? treePath(given) : given;
}

import { safe } from './text.ts';
import type { Paint } from './style.ts';

/** The part of `actor.explain` that is shown. */
export interface ExplanationView {
  readonly path: string;
  readonly node?: { readonly state: string; readonly status: string; readonly incarnation: number };
  readonly findings: readonly { readonly code: string; readonly text: string }[];
}

/** Where it is, then the findings: stable codes first, for those who search for them. */
export function renderExplanation({ path, node, findings }: ExplanationView, paint: Paint): string[] {
  const where = node ? `${node.status}, state ${node.state}, life ${node.incarnation}` : 'not alive';
  const width = Math.max(0, ...findings.map(({ code }) => code.length));
  const rows = findings.map(({ code, text }) => `  ${paint('cyan', code.padEnd(width))}  ${safe(text)}`);
  return [`${safe(path)}  (${safe(where)})`, ...rows];
}

import { EXIT } from '../exit-codes.ts';
import { withGateway } from '../gateway-session.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import type { CommonOptions } from '../options.ts';
import { subjectOf } from '../tree-path.ts';
import { paintFor } from '../render/style.ts';
import { type ExplanationView, renderExplanation } from '../render/explain.ts';

/** `coppice explain PATH-or-SESSION`: why it is in its state, what it waits for, what will happen then. */
export function explain(io: Io, subject: string, options: CommonOptions): Promise<number> {
  return withGateway(io, options, async (client) => {
    const view = (await client.request('actor.explain', { path: subjectOf(subject) })) as ExplanationView;
    if (options.json) writeJson(io.stdout, view);
    else writeLines(io.stdout, renderExplanation(view, paintFor(io.stdout, io.env)));
    return EXIT.ok;
  });
}

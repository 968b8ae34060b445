import { EXIT } from '../exit-codes.ts';
import { withGateway } from '../gateway-session.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import type { CommonOptions } from '../options.ts';
import { renderStatus, type StatusView } from '../render/status.ts';
import { paintFor } from '../render/style.ts';

/** `status` and `health` alone use these. */
const EXIT_OF_GRADE = { ok: EXIT.ok, degraded: 1, failing: 2 } as const;

/** `coppice status`: graded, with reasons. */
export function status(io: Io, options: CommonOptions): Promise<number> {
  return withGateway(io, options, async (client, place) => {
    const view = (await client.request('status')) as StatusView;
    if (options.json) writeJson(io.stdout, view);
    else writeLines(io.stdout, renderStatus(view, place.url, paintFor(io.stdout, io.env)));
    return EXIT_OF_GRADE[view.health.grade];
  });
}

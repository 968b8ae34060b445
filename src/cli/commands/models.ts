import type { ModelRow } from '../../server/port.ts';
import { EXIT } from '../exit-codes.ts';
import { withGateway } from '../gateway-session.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import type { CommonOptions } from '../options.ts';
import { onlyLoopback, renderModels } from '../render/models.ts';
import { paintFor } from '../render/style.ts';

/** `coppice models ls`: which model is asked first, which then, and how their providers are. */
export function list(io: Io, options: CommonOptions): Promise<number> {
  return withGateway(io, options, async (client) => {
    const { models } = (await client.request('models.list')) as { models: readonly ModelRow[] };
    if (options.json) writeJson(io.stdout, { models, onlyLoopback: onlyLoopback(models) });
    else writeLines(io.stdout, renderModels(models, paintFor(io.stdout, io.env)));
    return EXIT.ok;
  });
}

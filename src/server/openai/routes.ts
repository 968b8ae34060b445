/** The front door for clients of OpenAI's API: `/v1/chat/completions` and `/v1/models`. */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { ServerContext } from '../context.ts';
import { complete, createRoom, refuse } from './completion.ts';
import { findModel, listModels } from './models.ts';
import { problemOf } from './problem.ts';
import { createRunTaps } from './run-taps.ts';

type App = Hono<{ Bindings: HttpBindings }>;
type Request = Context<{ Bindings: HttpBindings }>;

const PREFIX = '/v1/';

/** Callers have been authorised when they get here. */
export function addOpenAi(app: App, context: ServerContext): void {
  const { port, guard, fault } = context;
  const deps = { ...context, taps: createRunTaps(port, fault) };
  const room = createRoom(context.limits);
  app.get('/v1/models', (c) => c.json(listModels(port)));
  // A model's own name may hold slashes.
  app.get('/v1/models/:id{.+}', (c) => c.json(findModel(port, c.req.param('id'))));
  app.post('/v1/chat/completions', (c) => {
    const { url, headers } = c.env.incoming;
    guard.checkOrigin({ url, host: headers.host, origin: headers.origin });
    return complete(deps, c, room.enter);
  });
}

/** What failed under `/v1/`, in the shape its clients read; undefined for every other path. */
export function openAiFailure(c: Request, thrown: unknown, context: ServerContext): Response | undefined {
  if (!c.req.path.startsWith(PREFIX)) return undefined;
  const { problem, internal } = problemOf(thrown);
  if (internal) context.fault(thrown, `${c.req.method} ${c.req.path.slice(0, 128)}`);
  if (problem.status === 401) c.header('www-authenticate', 'Bearer realm="coppice"');
  // What is left of the body is not worth reading, and nothing can follow it on this connection.
  if (problem.status === 413) c.header('connection', 'close');
  return refuse(c, problem);
}

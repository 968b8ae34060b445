/** The HTTP side of the port: probes, the dashboard, and a little read-only API. */
import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { CoppiceError } from '../errors.ts';
import { isLoopback, plainAddress } from './address.ts';
import { bearer } from './auth.ts';
import type { ServerContext } from './context.ts';
import type { Dashboard } from './dashboard-files.ts';
import { authFailed } from './handshake.ts';
import { addHooks } from './hooks.ts';
import { errorBody, errorStatus } from './http-error.ts';
import { addOpenAi, openAiFailure } from './openai/routes.ts';
import { fitTree } from './protocol/fit.ts';

type App = Hono<{ Bindings: HttpBindings }>;
type Request = Context<{ Bindings: HttpBindings }>;

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

export function createHttpApp(context: ServerContext, dashboard: Dashboard): App {
  const { port, guard } = context;
  const app: App = new Hono();
  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
    const { host, origin } = c.env.incoming.headers;
    guard.checkRequest({ url: c.env.incoming.url, host, origin });
    await next();
  });
  const live = (c: Request) => (port.live() ? c.json({ status: 'live' }) : c.json({ status: 'late' }, 503));
  app.get('/livez', live);
  app.get('/healthz', live);
  app.get('/readyz', (c) => {
    const { ready, reasons } = port.readiness();
    const body = {
      status: ready ? 'ready' : 'not ready',
      ...(mayReadReasons(c, context) ? { reasons } : {}),
    };
    return c.json(body, ready ? 200 : 503);
  });
  app.get('/', (c) => c.html(dashboard.page()));
  app.get('/ws', (c) =>
    c.json(
      {
        error: {
          code: 'COPPICE_UPGRADE_NEEDED',
          message: 'this path speaks WebSocket',
          remedy: 'Connect with a WebSocket client.',
        },
      },
      426,
      { upgrade: 'websocket' },
    ),
  );
  app.get('/dashboard/:file', (c) => {
    const asset = dashboard.asset(c.req.param('file'));
    if (!asset) throw notFound(c);
    return c.body(asset.text, 200, { 'content-type': asset.type });
  });
  addHooks(app, context);
  app.use('/api/*', async (c, next) => {
    await authorise(c, context);
    await next();
  });
  app.get('/api/tree', (c) => c.json(fitTree(port.tree(), context.limits.replyBytes)));
  app.get('/api/health', (c) => c.json(port.health()));
  app.use('/v1/*', async (c, next) => {
    await authorise(c, context);
    await next();
  });
  addOpenAi(app, context);
  app.notFound((c) => failure(c, notFound(c), context));
  app.onError((error, c) => failure(c, error, context));
  return app;
}

function notFound(c: Request): CoppiceError {
  return new CoppiceError('PAGE_NOT_FOUND', { method: c.req.method, path: c.req.path.slice(0, 128) });
}

function failure(c: Request, thrown: unknown, context: ServerContext): Response {
  const answer = openAiFailure(c, thrown, context);
  if (answer) return answer;
  const status = errorStatus(thrown);
  if (!(thrown instanceof CoppiceError)) context.fault(thrown, `${c.req.method} ${c.req.path.slice(0, 128)}`);
  // A webhook sender signs; it has no use for a token.
  if (status === 401 && !c.req.path.startsWith('/hooks/'))
    c.header('www-authenticate', 'Bearer realm="coppice"');
  const wait = thrown instanceof CoppiceError ? thrown.details['retryAfterMs'] : undefined;
  if (typeof wait === 'number') c.header('retry-after', String(Math.ceil(wait / 1_000)));
  return c.json(errorBody(thrown), status as 500);
}

function mayReadReasons(c: Request, context: ServerContext): boolean {
  const remote = remoteOf(c);
  if (isLoopback(remote)) return true;
  const token = bearer(c.req.header('authorization'));
  if (token === undefined || context.limiter.blockedMs(remote) > 0) return false;
  if (context.authenticator.check(token, remote).ok) return true;
  context.limiter.failed(remote);
  return false;
}

/** Throws AUTH_FAILED, late on loopback, or AUTH_LOCKED. */
async function authorise(c: Request, context: ServerContext): Promise<void> {
  const remote = remoteOf(c);
  const blockedMs = context.limiter.blockedMs(remote);
  if (blockedMs > 0) throw new CoppiceError('AUTH_LOCKED', { retryAfterMs: Math.ceil(blockedMs) });
  const verdict = context.authenticator.check(bearer(c.req.header('authorization')), remote);
  if (verdict.ok) return;
  if (verdict.reason === 'token_mismatch') await context.waits.wait(context.limiter.failed(remote));
  throw authFailed(verdict.reason);
}

function remoteOf(c: Request): string {
  return plainAddress(c.env.incoming.socket.remoteAddress);
}

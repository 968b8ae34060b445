/** `POST /hooks/NAME`: the bytes of the request go to the webhook channel of that name, and its answer back. */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { HookRequest, Receipt } from '../channels/contract.ts';
import { CoppiceError } from '../errors.ts';
import { plainAddress } from './address.ts';
import { createAuthLimiter, type AuthLimiter } from './auth-limiter.ts';
import type { ServerContext } from './context.ts';
import { readRawBody } from './raw-body.ts';

type App = Hono<{ Bindings: HttpBindings }>;
type Request = Context<{ Bindings: HttpBindings }>;

/**
 * 202 when the message is committed, 200 with the first outcome when it came before. Wrong signatures are counted per
 * address like wrong tokens, but apart from them: a sender with an old secret must not lock its neighbours out.
 */
export function addHooks(app: App, context: ServerContext): void {
  const limiter = createAuthLimiter(context.clock, context.limits);
  app.post('/hooks/:name', async (c) => {
    const name = c.req.param('name');
    const remote = plainAddress(c.env.incoming.socket.remoteAddress);
    refuseBlocked(limiter, remote, name, context);
    try {
      const { receipt } = await context.port.hook(name, requestOf(c));
      return c.json(bodyOf(receipt), receipt.kind === 'accepted' ? 202 : 200);
    } catch (error) {
      const code = error instanceof CoppiceError ? error.code : undefined;
      if (code === 'HOOK_SIGNATURE') await context.waits.wait(limiter.failed(remote));
      // What is left of the body is not worth reading, and nothing can follow it on this connection.
      if (code === 'HOOK_TOO_LARGE') c.header('connection', 'close');
      throw error;
    }
  });
}

function refuseBlocked(limiter: AuthLimiter, remote: string, name: string, context: ServerContext): void {
  const blockedMs = limiter.blockedMs(remote);
  if (blockedMs <= 0) return;
  const reason = `too many wrong signatures from its address, for the webhook channel ${name.slice(0, 64)}`;
  context.report({ type: 'client.refused', code: 'AUTH_LOCKED', reason });
  throw new CoppiceError('AUTH_LOCKED', { retryAfterMs: Math.ceil(blockedMs) });
}

const requestOf = (c: Request): HookRequest => ({
  header: (name) => c.req.header(name),
  body: (maxBytes) => readRawBody(c.env.incoming, maxBytes),
});

function bodyOf(receipt: Receipt): Readonly<Record<string, unknown>> {
  if (receipt.kind === 'accepted') return { runId: receipt.runId, status: 'accepted' };
  const { kind: _kind, ...first } = receipt;
  return first;
}

/** From a request frame to the text of its answer. Never throws: whatever goes wrong becomes an answer. */
import { CoppiceError } from '../errors.ts';
import type { ServerContext } from './context.ts';
import { wireError } from './protocol/errors.ts';
import { responseText, type RequestFrame } from './protocol/frames.ts';
import type { Call, Method, Reply } from './protocol/method.ts';
import { METHODS, METHOD_NAMES } from './protocol/methods/index.ts';
import { nearest } from './protocol/nearest.ts';
import { hasScope } from './protocol/scopes.ts';

/** These keep a durable record of their own under the idempotency key. */
const RECORDED: ReadonlySet<string> = new Set(['agent', 'chat.send']);

export async function dispatch(
  frame: RequestFrame,
  call: Call,
  scopes: readonly string[],
  context: ServerContext,
): Promise<string> {
  try {
    const method = methodFor(frame.method, scopes);
    return bounded(frame, await reply(method, frame, call, context), context);
  } catch (thrown) {
    const { error, internal } = wireError(thrown);
    if (internal) context.fault(thrown, `method ${frame.method}`);
    return responseText(frame.id, { error });
  }
}

function methodFor(name: string, scopes: readonly string[]): Method {
  if (name === 'connect')
    throw new CoppiceError('HANDSHAKE_INVALID', { reason: 'this connection has passed connect already' });
  const method = METHODS.get(name);
  if (!method)
    throw new CoppiceError('METHOD_UNKNOWN', {
      method: name.slice(0, 64),
      nearest: nearest(name, METHOD_NAMES),
    });
  if (!hasScope(scopes, method.scope)) {
    throw new CoppiceError('SCOPE_MISSING', {
      scope: method.scope,
      missingScope: method.scope,
      requiredScopes: [method.scope],
    });
  }
  return method;
}

function reply(
  method: Method,
  frame: RequestFrame,
  call: Call,
  context: ServerContext,
): Reply | Promise<Reply> {
  const run = (): Reply | Promise<Reply> => method.run(frame.method, frame.params, call);
  const key = RECORDED.has(frame.method)
    ? undefined
    : (frame.params as { idempotencyKey?: unknown } | null)?.idempotencyKey;
  return typeof key === 'string' ? context.repeats.once(`${frame.method} ${key}`, run) : run();
}

function bounded(frame: RequestFrame, { payload, error }: Reply, { limits }: ServerContext): string {
  const text = responseText(frame.id, { payload, error });
  if (text.length <= limits.replyBytes / 4) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= limits.replyBytes) return text;
  throw new CoppiceError('REPLY_TOO_LARGE', { method: frame.method, bytes });
}

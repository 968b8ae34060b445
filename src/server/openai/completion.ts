/** `POST /v1/chat/completions`: one turn, committed to the inbox before anything is answered. */
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { CoppiceError } from '../../errors.ts';
import type { Attachment, RunRow } from '../../store/contract.ts';
import type { ServerContext } from '../context.ts';
import type { Offer } from '../port.ts';
import { answerOf, completionOf, createChunks, type AnswerHead } from './answer.ts';
import { readJson } from './body.ts';
import { openEventStream, Stalled, type EventStream } from './event-stream.ts';
import { OWN_MODEL } from './models.ts';
import { orderOf, runIdOf } from './order.ts';
import { problemOf, problemOfRun, type Problem } from './problem.ts';
import { readRequest, type CompletionRequest } from './request.ts';
import type { RunTaps } from './run-taps.ts';
import { Left, settledRun } from './settled.ts';
import { createDraft, type Draft } from './streamed.ts';

type Request = Context<{ Bindings: HttpBindings }>;

export interface CompletionDeps extends ServerContext {
  readonly taps: RunTaps;
}

/** One request that has been read. */
interface Completion {
  readonly c: Request;
  readonly request: CompletionRequest;
  readonly offer: Offer;
  readonly attachments: readonly Attachment[];
  /** The caller named the run, so the caller may come back for it. */
  readonly keyed: boolean;
  readonly left: AbortSignal;
}

type Enter = (bytes: number) => () => void;

/** How many requests are under way, and how large they are together. */
export function createRoom({ completions, completionsBytes }: ServerContext['limits']): { enter: Enter } {
  let [count, total] = [0, 0];
  return {
    /** Throws OVERLOADED. Returns the way out, to be called once. */
    enter(bytes) {
      if (count >= completions || total + bytes > completionsBytes)
        throw new CoppiceError('OVERLOADED', {
          where: 'the list of chat completions',
          limit: `${completions} at a time, ${completionsBytes} bytes together`,
          retryAfterMs: 1_000,
        });
      count += 1;
      total += bytes;
      return () => {
        count -= 1;
        total -= bytes;
      };
    },
  };
}

/** Throws what the caller is to hear while nothing was sent yet. */
export async function complete(deps: CompletionDeps, c: Request, enter: Enter): Promise<Response> {
  const leave = enter(bytesOf(c, deps.limits));
  try {
    const key = c.req.header('idempotency-key');
    const value = await readJson(c.env.incoming, deps.limits);
    const request = readRequest(value);
    const runId = runIdOf(deps.port, key);
    c.header('x-request-id', runId);
    const traceparent = c.req.header('traceparent');
    const headers = { session: c.req.header('x-coppice-session'), traceparent };
    const { offer, attachments } = orderOf(deps.port, request, headers, runId);
    const completion = { c, request, offer, attachments, keyed: key !== undefined, left: leftOf(c) };
    return await (request.stream ? stream(deps, completion) : whole(deps, completion));
  } finally {
    leave();
  }
}

/** Who does not say how much is coming is reckoned with the most there may be. */
function bytesOf(c: Request, { completionBytes }: ServerContext['limits']): number {
  const declared = Number(c.req.header('content-length') ?? completionBytes);
  return declared <= completionBytes ? declared : 0; // what is too large is not read at all
}

function leftOf({ env: { outgoing } }: Request): AbortSignal {
  const left = new AbortController();
  outgoing.once('close', () => left.abort());
  if (outgoing.destroyed) left.abort();
  return left.signal;
}

async function whole(deps: CompletionDeps, completion: Completion): Promise<Response> {
  const { c } = completion;
  try {
    const { head, settled } = await begin(deps, completion);
    const run = await settled;
    if (run.status !== 'ok') return refuse(c, problemOfRun(run));
    return c.json(completionOf(head, answerOf(run)));
  } catch (thrown) {
    await giveUp(deps, completion, thrown);
    if (deps.closing.aborted) c.header('connection', 'close');
    if (!(thrown instanceof Left)) throw thrown;
    return RESPONSE_ALREADY_SENT;
  }
}

/** The offer is committed, or was before, when this resolves. */
async function begin(
  deps: CompletionDeps,
  { request, offer, attachments, left }: Completion,
): Promise<{ readonly head: AnswerHead; readonly settled: Promise<RunRow> }> {
  const accepted = await deps.port.offer(offer, attachments);
  const known = accepted.kind === 'known' ? accepted.run : undefined;
  const { runId } = accepted;
  const sessionKey = known?.sessionKey ?? offer.sessionKey;
  const acceptedAt = accepted.kind === 'accepted' ? accepted.at : accepted.run.acceptedAt;
  return {
    head: { runId, model: request.model || OWN_MODEL, acceptedAt },
    settled: settledRun(deps, { runId, sessionKey, left }),
  };
}

async function stream(deps: CompletionDeps, completion: Completion): Promise<Response> {
  const { c, offer } = completion;
  const events = openEventStream(c.env.outgoing, {
    clock: deps.clock,
    stallMs: deps.limits.completionStallMs,
    headers: Object.fromEntries(c.body(null).headers),
  });
  let draft: Draft | undefined;
  // Before the offer: the first words may come while its acknowledgement is still on its way here.
  const early: Parameters<Draft['hear']>[0][] = [];
  const untap = deps.taps.add(offer.runId, (signal) =>
    draft ? draft.hear(signal) : void early.push(signal),
  );
  try {
    const { head, settled } = await begin(deps, completion);
    draft = draftOf(deps, completion, events, head);
    for (const signal of early) draft.hear(signal);
    const run = await draft.send(settled);
    if (run.status === 'ok') await events.data('[DONE]');
    else if (!events.begun) return refuse(c, problemOfRun(run));
    else await events.data(problemOfRun(run).body);
    events.end();
  } catch (thrown) {
    await giveUp(deps, completion, thrown);
    if (!events.begun && !(thrown instanceof Left)) throw thrown;
    await farewell(deps, events, thrown);
  } finally {
    untap();
  }
  return RESPONSE_ALREADY_SENT;
}

function draftOf(
  deps: CompletionDeps,
  { request }: Completion,
  events: EventStream,
  head: AnswerHead,
): Draft {
  const chunks = createChunks(head, request.stream_options?.include_usage === true);
  return createDraft(events, chunks, { clock: deps.clock, silenceMs: deps.limits.completionSilenceMs });
}

/** The last word of a stream that has begun. The status is out, so the error is an event. */
async function farewell(deps: CompletionDeps, events: EventStream, thrown: unknown): Promise<void> {
  if (thrown instanceof Left || thrown instanceof Stalled) return;
  const { problem, internal } = problemOf(thrown);
  if (internal) deps.fault(thrown, 'chat completion');
  try {
    await events.data(problem.body);
    events.end(deps.closing.aborted);
  } catch (error) {
    // It took nothing either: the socket is ended already.
    if (!(error instanceof Stalled)) throw error;
  }
}

/** Nobody will read the answer: the run is ended, unless its caller may come back for it by its key. */
async function giveUp(deps: CompletionDeps, { offer, keyed }: Completion, thrown: unknown): Promise<void> {
  const { runId, sessionKey, options } = offer;
  const gone = thrown instanceof Left || thrown instanceof Stalled;
  const useless = thrown instanceof CoppiceError && thrown.code === 'ANSWER_DIVERGED' && options['ephemeral'];
  if (thrown instanceof Stalled) {
    const reason = `the reader of ${runId} took nothing for ${deps.limits.completionStallMs} ms`;
    deps.report({ type: 'client.refused', code: 'SLOW_READER', reason });
  }
  if (keyed || !(gone || useless)) return;
  try {
    await deps.port.abort({ sessionKey, runId });
  } catch (error) {
    // It goes on, and its outcome is on record.
    deps.fault(error, `aborting ${runId}, whose reader has left`);
  }
}

export function refuse(c: Request, { status, headers, body }: Problem): Response {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  return c.json(body, status as 500);
}

/** The JSON body of a request, read within its limits. */
import type { IncomingMessage } from 'node:http';
import { CoppiceError } from '../../errors.ts';
import type { ServerLimits } from '../limits.ts';
import { brokenText, jsonDepth, parseJson } from '../protocol/json.ts';
import { HALF } from '../protocol/method.ts';
import { readRawBody } from '../raw-body.ts';
import { shown } from '../request-guard.ts';

type BodyLimits = Pick<ServerLimits, 'completionBytes' | 'jsonDepth'>;

/** Rejects with BODY_TYPE_REFUSED, BODY_TOO_LARGE, COMPLETION_INVALID; UNAVAILABLE when its sender left. */
export async function readJson(incoming: IncomingMessage, limits: BodyLimits): Promise<unknown> {
  checkType(incoming.headers);
  const body = await readRawBody(incoming, limits.completionBytes, tooLarge);
  const text = textOf(body);
  if (jsonDepth(text, limits.jsonDepth) > limits.jsonDepth)
    throw invalid(`it nests deeper than ${limits.jsonDepth}`);
  const parsed = parseJson(text);
  if (!parsed) throw invalid('it is not JSON');
  const broken = brokenText(parsed.value);
  if (broken !== undefined)
    throw new CoppiceError('COMPLETION_INVALID', { param: broken || 'body', reason: HALF });
  return parsed.value;
}

const invalid = (reason: string): CoppiceError =>
  new CoppiceError('COMPLETION_INVALID', { param: 'body', reason });
const tooLarge = (limit: number): CoppiceError => new CoppiceError('BODY_TOO_LARGE', { limit });

/** A page elsewhere can send text/plain without asking; it cannot send this. */
function checkType(headers: IncomingMessage['headers']): void {
  const type = headers['content-type'];
  const encoding = headers['content-encoding'] ?? 'identity';
  if (!/^application\/json\s*(;|$)/i.test(type ?? ''))
    throw new CoppiceError('BODY_TYPE_REFUSED', { found: shown(type).slice(0, 64) });
  if (encoding !== 'identity')
    throw new CoppiceError('BODY_TYPE_REFUSED', {
      found: `content encoded as ${shown(encoding).slice(0, 64)}`,
    });
}

function textOf(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw invalid('it is not UTF-8');
  }
}

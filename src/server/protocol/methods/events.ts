/** `events.query` and `events.subscribe`: facts, redacted, those that were and those that come. */
import { z } from 'zod';
import { EVENTS, SEVERITIES, type FactType } from '../../../bus/index.ts';
import { CoppiceError } from '../../../errors.ts';
import type { FactFilter, GatewayPort } from '../../port.ts';
import { fitNewest } from '../fit.ts';
import { defineMethod, type Call } from '../method.ts';
import { nearest } from '../nearest.ts';

const DEFAULT_LIMIT = 100;
/** What the gateway remembers. */
const LIMIT = 1_000;

const filter = {
  /** Types of the catalogue, or a whole noun: `session.*`. */
  types: z.array(z.string().min(1).max(128)).min(1).max(100).optional(),
  path: z.string().min(1).max(1_024).optional(),
  traceId: z.string().min(1).max(64).optional(),
  severity: z.enum(SEVERITIES).optional(),
};

export const eventsQuery = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({
    ...filter,
    afterSeq: z.int().min(0).optional(),
    limit: z.int().min(1).max(LIMIT).optional(),
  }),
  handle({ afterSeq, limit = DEFAULT_LIMIT, ...asked }, call) {
    const after = afterSeq === undefined ? {} : { afterSeq };
    return { payload: fitted(call, { ...filterOf('events.query', asked), ...after, limit }) };
  },
});

/** Answers with the last facts, then sends `fact` events: nothing between them is lost, nothing comes twice. */
export const eventsSubscribe = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({ ...filter, recent: z.int().min(0).max(LIMIT).optional() }),
  handle({ recent = 0, ...asked }, call) {
    const wanted = filterOf('events.subscribe', asked);
    call.subscribeFacts(wanted);
    const last = recent === 0 ? { facts: [] } : fitted(call, { ...wanted, limit: recent });
    return { payload: { subscribed: true, ...last } };
  },
});

function fitted({ port, limits }: Call, query: Parameters<GatewayPort['facts']>[0]) {
  const { messages, ...cut } = fitNewest(port.facts(query), limits.replyBytes - 4_096);
  return { facts: messages, ...cut };
}

type Asked = { readonly [K in keyof FactFilter]?: unknown } & {
  readonly types?: readonly string[] | undefined;
};

function filterOf(method: string, { types, ...rest }: Asked): FactFilter {
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...given, ...(types ? { types: types.flatMap((type) => knownTypes(method, type)) } : {}) };
}

const ALL = Object.keys(EVENTS) as FactType[];

function knownTypes(method: string, asked: string): FactType[] {
  const found = asked.endsWith('.*')
    ? ALL.filter((type) => type.startsWith(asked.slice(0, -1)))
    : ALL.filter((type) => type === asked);
  if (found.length > 0) return found;
  const near = nearest(asked, ALL);
  const hint = near === undefined ? 'docs/events.md lists them' : `the nearest known one is "${near}"`;
  throw new CoppiceError('PARAMS_INVALID', {
    method,
    reason: `types: there is no fact "${asked.slice(0, 64)}"; ${hint}`,
  });
}

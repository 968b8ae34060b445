import { once } from 'node:events';
import type { Client } from '../client.ts';
import { EXIT } from '../exit-codes.ts';
import { withGateway } from '../gateway-session.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import { type Link, newsLine, openLink } from '../link.ts';
import type { CommonOptions } from '../options.ts';
import { type FactView, renderFact } from '../render/fact.ts';
import { paintFor } from '../render/style.ts';
import { onStopSignals } from '../stop-signals.ts';
import { treePath } from '../tree-path.ts';

export interface EventsOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly type?: readonly string[];
  readonly path?: string;
  readonly trace?: string;
  readonly last?: number;
}

const LAST = 20;

/** `coppice events`: the last facts, and with -f those that come, until Ctrl-C. Redacted by the gateway. */
export function events(io: Io, options: EventsOptions): Promise<number> {
  return options.follow ? follow(io, options) : showLast(io, options);
}

function showLast(io: Io, options: EventsOptions): Promise<number> {
  return withGateway(io, options, async (client) => {
    const limit = options.last ?? LAST;
    const facts = limit === 0 ? [] : await query(client, { ...filterOf(options), limit });
    if (options.json) writeJson(io.stdout, { facts });
    else if (facts.length > 0) writeLines(io.stdout, facts.map(shower(io)));
    return EXIT.ok;
  });
}

async function query(client: Client, params: object): Promise<FactView[]> {
  return ((await client.request('events.query', params)) as { facts: FactView[] }).facts;
}

function filterOf({ type, path, trace }: EventsOptions): object {
  return {
    ...(type?.length ? { types: type } : {}),
    ...(path === undefined ? {} : { path: treePath(path) }),
    ...(trace === undefined ? {} : { traceId: trace }),
  };
}

function shower(io: Io): (fact: FactView) => string {
  const paint = paintFor(io.stdout, io.env);
  return (fact) => renderFact(fact, paint);
}

/** A gateway that goes away is waited for, and asked again: it is what one watches a restart with. */
async function follow(io: Io, options: EventsOptions): Promise<number> {
  const ended = new AbortController();
  const stop = onStopSignals(() => ended.abort());
  const say = (line: string): void => void io.stderr.write(`${line}\n`);
  const problem = Promise.withResolvers<never>();
  const link = await openLink(io, options, {
    patienceMs: Number.POSITIVE_INFINITY,
    onNews(news) {
      say(newsLine(news));
      if (news.kind === 'back') subscribe(link, options, 0, print).catch(problem.reject);
      if (news.kind === 'failed') problem.reject(news.error);
    },
  });
  const print = printer(io, options);
  link.onEvent((event, payload) => {
    if (event === 'fact') print(payload as Told);
  });
  try {
    await subscribe(link, options, options.last ?? LAST, print);
    await Promise.race([once(ended.signal, 'abort'), problem.promise]);
    return EXIT.ok;
  } finally {
    stop();
    link.close();
  }
}

interface Told {
  readonly fact: FactView;
  /** How many were left out before it, because we read too slowly. */
  readonly dropped?: number;
}

async function subscribe(
  link: Link,
  options: EventsOptions,
  recent: number,
  print: (told: Told) => void,
): Promise<void> {
  const client = await link.client();
  const answer = await client.request('events.subscribe', { ...filterOf(options), recent });
  for (const fact of (answer as { facts: FactView[] }).facts) print({ fact });
}

function printer(io: Io, { json }: EventsOptions): (told: Told) => void {
  const show = shower(io);
  return ({ fact, dropped }) => {
    if (dropped) io.stderr.write(`${dropped} facts were left out: this reader is too slow\n`);
    io.stdout.write(`${json ? JSON.stringify(fact) : show(fact)}\n`);
  };
}

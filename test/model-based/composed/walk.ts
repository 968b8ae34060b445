/** A walk: steps chosen by dice, what must hold after each, and what must be true once everybody has been let finish. */
import * as fc from 'fast-check';
import { LANE_PLACES, SESSIONS, World } from './world.ts';

export type Step =
  | { readonly do: 'say'; readonly session: number; readonly again: boolean }
  | {
      readonly do: 'answer' | 'use a tool' | 'fail model' | 'tool done' | 'tool failed';
      readonly nth: number;
    }
  | { readonly do: 'platform'; readonly nth: number; readonly outcome: 'sent' | 'failed' | 'unknown' }
  | { readonly do: 'crash'; readonly nth: number }
  | { readonly do: 'disk'; readonly faults: readonly ('failed' | 'lied')[] }
  | { readonly do: 'abort'; readonly session: number }
  | { readonly do: 'wait'; readonly ms: number };

const nth = fc.nat({ max: 40 });
const session = fc.nat({ max: SESSIONS - 1 });
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('say'), session, again: fc.boolean() }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom('answer', 'answer', 'use a tool', 'fail model', 'tool done', 'tool failed'),
        nth,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('platform'),
        nth,
        outcome: fc.constantFrom('sent', 'sent', 'failed', 'unknown'),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('crash'), nth }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('disk'),
        faults: fc.array(fc.constantFrom('failed', 'lied'), { minLength: 1, maxLength: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('abort'), session }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(1, 250, 1_000, 6_000) }),
    },
  ) as fc.Arbitrary<Step>,
  { minLength: 10, maxLength: 60, size: 'max' },
);

/** Follows the steps, lets everybody finish, and returns what was broken. */
export async function walk(plan: readonly Step[], seed: number): Promise<string[]> {
  const world = await World.open(dice(seed));
  const broken: string[] = [];
  const count = { said: Array.from({ length: SESSIONS }, () => 0), calls: 0 };
  try {
    for (const [at, step] of plan.entries()) {
      take(world, step, count);
      await world.settle();
      broken.push(...always(world).map((text) => `after step ${at} (${JSON.stringify(step)}): ${text}`));
      if (broken.length > 0) return broken;
    }
    const late = await finish(world);
    return [...late, ...atTheEnd(world)];
  } finally {
    await world.close();
  }
}

function take(world: World, step: Step, count: { said: number[]; calls: number }): void {
  switch (step.do) {
    case 'say':
      if (!step.again || count.said[step.session] === 0) count.said[step.session]! += 1;
      return world.say(step.session, count.said[step.session]!);
    case 'answer':
      return pick(world.models, step.nth)?.settle(answer(pick(world.models, step.nth)!.what));
    case 'use a tool':
      return pick(world.models, step.nth)?.settle([
        {
          type: 'tool-call',
          toolCallId: `c${(count.calls += 1)}`,
          toolName: 'look',
          input: { at: `${count.calls}` },
        },
        { type: 'finish', reason: 'tool-calls' },
      ]);
    case 'fail model':
      return pick(world.models, step.nth)?.settle([]);
    case 'tool done':
      return pick(world.tools, step.nth)?.settle('seen');
    case 'tool failed':
      return pick(world.tools, step.nth)?.fail(new Error('it is dark'));
    case 'platform':
      return pick(world.platform, step.nth)?.settle(OUTCOMES[step.outcome]);
    case 'crash':
      return void world.crash(step.nth);
    case 'disk':
      return world.failCommits(step.faults);
    case 'abort':
      return world.abort(step.session);
    case 'wait':
      return world.clock.advance(step.ms);
  }
}

const OUTCOMES = {
  sent: { kind: 'sent' },
  failed: { kind: 'failed', permanent: false, reason: 'busy' },
  unknown: { kind: 'unknown', reason: 'the line went dead' },
} as const;
const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(1, list.length)];
const answer = (to: string) =>
  [
    { type: 'text', delta: `answer to ${to}` },
    { type: 'finish', reason: 'stop' },
  ] as const;

/** What holds at every moment. */
function always(world: World): string[] {
  const broken: string[] = [];
  if (world.ended !== 'no') broken.push(`the root ended: ${world.ended?.message ?? 'without a reason'}`);
  const holders = Object.keys(world.lane()?.holders ?? {});
  if (holders.length > LANE_PLACES)
    broken.push(`the lane granted ${holders.length} tickets: ${holders.join()}`);
  const talking = world.models.map(({ what }) => what.split(' ')[0]!);
  if (new Set(talking).size < talking.length)
    broken.push(`two turns of one session at once: ${talking.join()}`);
  for (const fact of world.facts)
    if (fact.type === 'actor.event_unhandled') broken.push(`nobody handles ${JSON.stringify(fact)}`);
  return broken;
}

/** No faults any more, and everybody answers at once: within an hour of the clock all must be done. */
async function finish(world: World): Promise<string[]> {
  world.heal();
  for (let minute = 0; minute < 90; minute += 1) {
    for (let round = 0; round < 30; round += 1) {
      for (const call of [...world.models]) call.settle(answer(call.what));
      for (const call of [...world.tools]) call.settle('seen');
      for (const call of [...world.platform]) call.settle(OUTCOMES.sent);
      await world.settle();
      if (world.models.length + world.tools.length + world.platform.length === 0) break;
    }
    if (isDone(world)) return [];
    await world.advance(minute < 30 ? 2_000 : 60_000);
  }
  return [`not done after an hour of peace: ${unfinished(world).join('; ')}`];
}

const isDone = (world: World): boolean => unfinished(world).length === 0;

function unfinished(world: World): string[] {
  const { read } = world.store;
  const runs = world.heard().filter(({ runId }) => read.run(runId)?.status === 'accepted');
  const { prepared, sending } = read.countDeliveries();
  const busy = Array.from({ length: SESSIONS }, (_, n) => world.session(n)?.value).filter(
    (value) => value !== undefined && value !== 'idle',
  );
  const lane = world.lane();
  return [
    ...runs.map(({ text }) => `"${text}" was accepted and never answered`),
    ...(world.offersWaiting > 0 ? [`${world.offersWaiting} senders wait for an answer`] : []),
    ...(prepared + sending > 0 ? [`${prepared + sending} replies were not delivered`] : []),
    ...busy.map((value) => `a session is ${JSON.stringify(value)}`),
    ...(lane && Object.keys(lane.holders).length === 0 && lane.queue.length === 0
      ? []
      : [`the lane is not empty: ${JSON.stringify(lane)}`]),
  ];
}

function atTheEnd(world: World): string[] {
  const { read } = world.store;
  const broken = [...always(world)];
  if (read.pendingSessions().length > 0) broken.push('the inbox is not empty');
  const heard = world.heard();
  const ids = heard.map(({ runId }) => runId);
  for (const runId of world.admitted)
    if (!ids.includes(runId)) broken.push(`run ${runId} was acknowledged, and its message is not on disk`);
  for (const { runId, sessionKey, text } of heard) {
    const { status, result } = read.run(runId)!;
    const session = read.session(sessionKey);
    const rows = session ? read.history(sessionKey, session.sessionId, 1_000) : [];
    const asked = rows.filter(({ content }) => content.some((part) => 'text' in part && part.text === text));
    if (asked.length > 1) broken.push(`"${text}" stands ${asked.length} times in the transcript`);
    if (status !== 'ok') continue;
    if (asked.length !== 1) broken.push(`"${text}" was answered and is not in the transcript`);
    const said = String(result?.['text'] ?? '');
    if (!said.startsWith('answer to ')) broken.push(`"${text}" ended ok with "${said}"`);
    const answers = rows.filter((row) => row.runId === runId && row.role === 'assistant');
    if (answers.length === 0) broken.push(`the answer to "${text}" is not in the transcript`);
  }
  const sentTo = new Map<string, number>();
  for (const { deliveryId, outcome } of world.attempts) {
    if (!ids.some((id) => deliveryId.startsWith(id))) broken.push(`${deliveryId} replies to nobody`);
    const sent = sentTo.get(deliveryId) ?? 0;
    if (sent > 0) broken.push(`${deliveryId} was sent again after the platform had it`);
    if (outcome === 'sent') sentTo.set(deliveryId, sent + 1);
  }
  return broken;
}

/** Mulberry32: small, seeded, good enough for jitter. */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * Three conversations and a lane under one supervisor, where there is no Node: this needs timers, promises and
 * `AbortController`, which every edge worker has. At most two are answered at a time, and one session is killed in the
 * middle of its answer: it comes back, reads what it owes, and answers.
 */
import { lane, type ReplyInput, type session, sessionHost, type SessionRecord } from 'coppice/machines';
import { type ChildSpec, clockOf, createSupervision, type StartContext } from 'coppice/supervisor';

const clock = clockOf(globalThis);
const { start, registry, kill, nested } = createSupervision({
  clock,
  random: Math.random,
  report: ({ body, childPath, childIncarnation }) => console.log(body.type, childPath, childIncarnation),
});

// The lane: whoever holds a ticket of it may work. It tells them by path.
const tickets = lane.withEffects({
  grant: ({ holder, ticketId }) => registry.tell(holder, { type: 'lane.granted', ticketId }),
  refuse: ({ holder, ...refusal }) => registry.tell(holder, { type: 'lane.refused', ...refusal }),
  revoke: ({ holder, ...revocation }) => registry.tell(holder, { type: 'lane.revoked', ...revocation }),
});
const laneInput = ({ incarnation }: StartContext) =>
  ({ name: 'two', maxConcurrent: 2, maxQueue: 100, incarnation, atMs: clock.now() }) satisfies lane.LaneInput;

// The sessions: kept in a Map here, in the platform's storage there; answered here, by a fetch() of a model there.
const records = new Map<string, SessionRecord>();
const answers: Record<string, string> = {};
const working = new Set<AbortSignal>();
let mostAtOnce = 0;
async function* reply({ sessionKey, text, signal }: ReplyInput) {
  working.add(signal);
  mostAtOnce = Math.max(mostAtOnce, [...working].filter(({ aborted }) => !aborted).length);
  for (const word of ['I', 'heard', sessionKey, 'say', text]) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    yield `${word} `;
  }
  working.delete(signal);
}
const signal = (said: session.SessionSignal): void => {
  if (said.kind === 'text' && said.text === 'I heard ann ' && registry.incarnation('edge/ann') === 1)
    kill('edge/ann', { by: 'this example' });
  if (said.kind === 'ended') answers[said.sessionKey] = said.text.trim();
  if (Object.keys(answers).length < users.length) return;
  const lives = users.map((user) => registry.incarnation(`edge/${user}`));
  console.log(JSON.stringify({ answers, mostAtOnce, lives }));
  top.send({ type: 'supervisor.shutdown', reason: 'all are answered', deadlineMs: 1_000 });
};
const host = sessionHost({ records, now: clock.now, reply, signal, registry, nested });

const users = ['ann', 'bob', 'cleo'];
const children: ChildSpec[] = [
  { id: 'lane', logic: tickets, input: laneInput },
  ...users.map((user) => host.child(user, { lane: 'edge/lane' })),
];
const rules = { strategy: 'one_for_one', intensity: 3, periodMs: 60_000 } as const;
const top = start(
  'edge',
  { ...rules, children },
  { ended: (error) => console.log(error ?? 'all have stopped') },
);
for (const user of users)
  host
    .accept(user, { id: `${user}-1`, text: 'hello' })
    .then((news) => registry.tell(`edge/${user}`, news), console.error);

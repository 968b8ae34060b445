/** Two conversations in a page: the statechart of a session, alive under a supervisor and drawn as it lives. */
import { picture, type ReplyInput, session, sessionHost, type SessionRecord } from 'coppice/machines';
import { clockOf, createSupervision, type TreeNode } from 'coppice/supervisor';
import type { EventObject, StateValue } from 'xstate';

// What the page brings: a store that outlives a reload, and a model that answers word by word.
const records = {
  get: (user: string) => JSON.parse(localStorage.getItem(user) ?? 'null') ?? undefined,
  set: (user: string, record: object) => localStorage.setItem(user, JSON.stringify(record)),
  delete: (user: string) => localStorage.removeItem(user),
};
async function* reply({ text, transcript }: ReplyInput) {
  if (text === 'choke') throw new Error('this model chokes on that');
  for (const word of `You said ${text}. Before that we had ${transcript.length} lines.`.split(' '))
    yield await new Promise<string>((resolve) => setTimeout(resolve, 200, `${word} `));
}

// The tree: a session for each user. What one owes when it crashes is in its record, for its next life.
const at = (id: string) => document.getElementById(id)!;
const users = ['ann', 'bob'];
const clock = clockOf(window);
const { start, startChild, registry, kill, nested } = createSupervision({
  clock,
  random: Math.random,
  report: ({ body, childPath, childIncarnation: life }) => {
    const line = `${body.type.replaceAll('_', ' ')}: ${childPath}, life ${life}\n`;
    at('reports').textContent = `${line}${at('reports').textContent}`.slice(0, 4_000);
  },
});
const heard = new Map<string, session.SessionSignal>();
const signal = (said: session.SessionSignal) => soon(heard.set(said.sessionKey, said));
const host = sessionHost({ records, now: clock.now, reply, signal, nested });
const tell = <E extends EventObject>(user: string, event: E) => registry.tell(`page/${user}`, event);
const say = (text: string) => async (user: string) => {
  const news = await host.accept(user, { id: crypto.randomUUID(), text });
  startChild('page', host.child(user)); // one that is alive stays as it is
  tell(user, news);
};
const buttons: Record<string, (user: string) => unknown> = {
  'say hello': say('hello'),
  'make it choke': say('choke'),
  abort: (user) => tell(user, { type: 'run.abort', requestId: crypto.randomUUID(), atMs: clock.now() }),
  'let an hour pass': (user) => tell(user, { type: 'clock.tick', atMs: clock.now() + 3_600_000 }),
  kill: (user) => kill(`page/${user}`, { by: 'a button' }),
};

// The drawing: the machine that runs and where it is, what was said, who is alive.
const rows = ({ path, state, incarnation, children }: TreeNode): string[] => [
  `${path}: ${state}, life ${incarnation}`,
  ...children.flatMap(rows),
];
let frame = 0;
const soon = (_news: unknown) => (frame ||= requestAnimationFrame(draw));
function draw(): void {
  frame = 0;
  for (const user of users) {
    const snapshot = registry.peek(`page/${user}`) as { value: StateValue } | undefined;
    const [title, chart, , lines] = at(user).children;
    title!.textContent = `${user}, ${snapshot ? `life ${registry.incarnation(`page/${user}`)}` : 'asleep'}`;
    chart!.innerHTML = picture(session.sessionMachine, snapshot?.value);
    const { transcript = [], pending = [] }: Partial<SessionRecord> = records.get(user) ?? {};
    const owed = pending.map(({ text }) => `owed: an answer to ${text}`);
    const said = heard.get(user);
    const last =
      said?.kind === 'text' ? `typing: ${said.text}` : said?.kind === 'ended' && said.error?.message;
    const shown = [...transcript.map(({ role, text }) => `${role}: ${text}`), ...owed, last || ''];
    lines!.textContent = shown.slice(-6).join('\n');
  }
  at('tree').textContent = rows(registry.tree()).join('\n');
}
const labels = Object.keys(buttons).map((label) => `<button>${label}</button>`);
for (const user of users) {
  at(user).innerHTML = `<h2></h2><div></div><nav>${labels.join('')}</nav><pre></pre>`;
  at(user).addEventListener('click', ({ target }) => buttons[(target as Element).textContent]?.(user));
}
const rules = { strategy: 'one_for_one', intensity: 5, periodMs: 60_000, dynamic: true } as const;
const children = users.map((user) => host.child(user));
start('page', { ...rules, children }, { inspect: soon });

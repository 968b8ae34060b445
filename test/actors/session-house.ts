import { assign, setup } from 'xstate';
import { laneChild } from '../../src/actors/lanes.ts';
import { PATHS, sessionPath } from '../../src/actors/paths.ts';
import { createSignalSeq } from '../../src/actors/signal-seq.ts';
import { sessionsDoor, type SessionsOptions } from '../../src/actors/sessions.ts';
import type { RunSignal } from '../../src/channels/contract.ts';
import { turnMessage } from '../../src/machines/offered.ts';
import type { RunInput, RunOutput, TurnMessage } from '../../src/machines/turn.ts';
import type { InboxRow } from '../../src/store/index.ts';
import type { ChildSpec, SupervisorSpec } from '../../src/supervisor/index.ts';
import { openHouse } from './house.ts';

export const said = (text: string): RunOutput => ({
  messages: [{ role: 'assistant', content: [{ type: 'text', text }] }],
  text,
  usage: { input: 1, output: 2, total: 3 },
  attempts: 1,
  toolCalls: 0,
  status: 'ok',
  stopReason: 'stop',
});
export const undecided: RunOutput = {
  messages: [],
  text: '',
  usage: null,
  attempts: 1,
  toolCalls: 1,
  status: 'undecided',
  question: 'Send it again?',
  toolCallId: 'c1',
  toolName: 'mail',
};

/** A run that does what the test tells its path. */
const puppet = setup({
  types: {
    context: {} as { output: RunOutput },
    input: {} as RunInput,
    output: {} as RunOutput,
    events: {} as { type: 'end'; output: RunOutput } | { type: 'run.abort' },
  },
}).createMachine({
  context: { output: said('') },
  initial: 'going',
  states: {
    going: {
      on: {
        end: { target: 'over', actions: assign({ output: ({ event }) => event.output }) },
        'run.abort': {},
      },
    },
    over: { type: 'final' },
  },
  output: ({ context }) => context.output,
});

/** Lanes and sessions as they stand in the gateway, over a real store, with runs in the test's hand. */
export async function openSessions(
  options: Partial<SessionsOptions> & {
    readonly lanes?: Readonly<Record<string, number>>;
    readonly intensity?: number;
  } = {},
) {
  const house = await openHouse();
  const { deps, supervision, clock } = house;
  const signals: RunSignal[] = [];
  const starts: string[] = [];
  const run = deps.nested(puppet, ({ path, incarnation, message }: RunInput) => {
    starts.push(message.messageId);
    return { path, incarnation };
  });
  const startChild = (path: string, spec: ChildSpec): 'started' | 'already' => {
    const reply = supervision.startChild(path, spec);
    return reply === 'pending' || reply.ok ? 'started' : 'already';
  };
  const door = sessionsDoor(
    { ...deps, startChild, signal: (signal) => void signals.push(signal) },
    {
      run,
      seq: createSignalSeq(),
      agentOf: () => 'main',
      idleMs: 60_000,
      turnTimeoutMs: () => 600_000,
      ...options,
    },
  );
  const supervisor = (
    id: string,
    children: readonly ChildSpec[],
    spec: Partial<SupervisorSpec> = {},
  ): ChildSpec => ({
    id,
    type: 'supervisor',
    logic: supervision.supervisor({
      strategy: 'one_for_one',
      intensity: 20,
      periodMs: 60_000,
      children,
      ...spec,
    }),
  });
  const lanes = Object.entries(options.lanes ?? { main: 4 }).map(([name, maxConcurrent]): ChildSpec => ({
    ...laneChild(deps, { name, maxConcurrent }),
    backoff: { minMs: 500, maxMs: 500, factor: 1, jitter: 0, resetAfterMs: 60_000 },
  }));
  await house.start({
    work: [
      supervisor('lanes', lanes),
      supervisor('sessions', [], { dynamic: true, onExhausted: 'park', intensity: options.intensity ?? 20 }),
    ],
  });

  const accept = async (
    sessionKey: string,
    n: number | string,
    text = `text ${n}`,
    source: InboxRow['source'] = 'user',
  ): Promise<TurnMessage> => {
    const row: InboxRow = {
      messageId: `webchat/default/${sessionKey}-${n}`,
      runId: `run-${sessionKey}-${n}`,
      sessionKey,
      agentId: 'main',
      channel: 'webchat',
      account: 'default',
      platformId: `${n}`,
      source,
      text,
      options: {},
      trace: deps.ids.trace(),
      receivedAt: clock.now(),
    };
    await deps.store.commit(deps.store.statements.acceptMessage(row));
    return turnMessage(row, row.receivedAt);
  };
  const state = (sessionKey: string): string | undefined => {
    const snapshot = supervision.registry.peek(sessionPath(sessionKey)) as { value: unknown } | undefined;
    return snapshot === undefined ? undefined : JSON.stringify(snapshot.value);
  };
  return {
    ...house,
    door,
    signals,
    starts,
    accept,
    state,
    /** Accepts into the inbox, then hands over, as the ingress does. */
    async say(sessionKey: string, n: number | string, text?: string): Promise<TurnMessage> {
      const message = await accept(sessionKey, n, text);
      door.deliver(sessionKey, 'main', message);
      return message;
    },
    /** Lets time's due things happen until the promise has settled. */
    async answered<T>(promise: Promise<T>): Promise<T> {
      let over = false;
      void promise.then(
        () => (over = true),
        () => (over = true),
      );
      await house.until('there is an answer', () => over);
      return promise;
    },
    is: (sessionKey: string, part: string) =>
      house.until(`${sessionKey} is ${part}`, () => state(sessionKey)?.includes(part) === true),
    runOf: (sessionKey: string) => `${sessionPath(sessionKey)}/run`,
    end: (sessionKey: string, output: RunOutput = said(`answer of ${sessionKey}`)) =>
      supervision.registry.tell(`${sessionPath(sessionKey)}/run`, { type: 'end', output } as {
        type: string;
      }),
    settled: (sessionKey: string, n: number | string) =>
      house.until(
        `${sessionKey}-${n} is settled`,
        () => deps.store.read.run(`run-${sessionKey}-${n}`)?.status !== 'accepted',
      ),
    status: (sessionKey: string, n: number | string) => deps.store.read.run(`run-${sessionKey}-${n}`)?.status,
    transcript: (sessionKey: string) => {
      const session = deps.store.read.session(sessionKey);
      const rows = session ? deps.store.read.history(sessionKey, session.sessionId, 100) : [];
      return rows.map(
        ({ role, content }) =>
          `${role}: ${content.map((part) => ('text' in part ? part.text : part.type)).join()}`,
      );
    },
    lane: (name: string) =>
      (
        supervision.registry.peek(`${PATHS.lanes}/${name}`) as {
          context: { queue: unknown[]; holders: unknown[] };
        }
      ).context,
  };
}
export type Sessions = Awaited<ReturnType<typeof openSessions>>;

import { assign, emit, initialTransition, setup, transition } from 'xstate';
import type { Fact } from '../bus/events.ts';
import type { Trace } from '../bus/trace.ts';
import { endingOf } from './ending.ts';
import type { Ending, ShutdownEvent } from './ending.ts';
import { LIMITS } from './limits.ts';
import { detect, loopPolicy, remember, suspectsOf } from './tool-loop-detect.ts';
import type {
  LoopFinding,
  LoopHistory,
  LoopPolicy,
  LoopPolicyOptions,
  LoopRecord,
} from './tool-loop-detect.ts';
import { endingText, warningText } from './tool-loop-words.ts';

export { callFingerprint, resultFingerprint } from './tool-loop-fingerprint.ts';
export { DEFAULT_LOOP_POLICY } from './tool-loop-detect.ts';
export type { LoopDetector, LoopFinding, LoopPolicy, LoopPolicyOptions } from './tool-loop-detect.ts';

/** What the breaker is started with. */
export interface ToolLoopInput {
  readonly policy?: LoopPolicyOptions;
  /** Goes into the facts. */
  readonly about?: LoopAbout;
}
/** Whose calls are watched; passed on with the facts. */
export interface LoopAbout {
  readonly sessionKey?: string;
  readonly sessionId?: string;
  readonly trace?: Trace;
}

/** What the breaker hears. */
export type ToolLoopEvent =
  /** The model wants a call. While the breaker is open, do not make it. */
  | { readonly type: 'call.asked'; readonly call: string; readonly atMs: number }
  /** The call was made. */
  | ({ readonly type: 'call.answered'; readonly atMs: number } & LoopRecord)
  /** Another try is allowed: a person spoke, or time has passed. Without a loop it begins a new count. */
  | { readonly type: 'loop.cooled'; readonly atMs: number }
  /** Everything is forgotten. */
  | { readonly type: 'loop.reset' }
  | ShutdownEvent;

/** What the breaker knows. Plain JSON. */
export interface ToolLoopContext extends LoopHistory {
  readonly policy: LoopPolicy;
  readonly about: LoopAbout;
  /** What the newest answer was found to be. `news`: worth telling; a loop is told about once in so many calls. */
  readonly verdict: (LoopFinding & { readonly news: boolean }) | null;
  /** Per loop, how often it was told about. */
  readonly told: Readonly<Record<string, number>>;
  /** The loop that opened the breaker, and the calls it is made of. */
  readonly tripped: LoopFinding | null;
  readonly suspects: readonly LoopRecord[];
  /** When it opened last. Epoch milliseconds. */
  readonly openedAt: number | null;
  /** Calls asked for while it was open. */
  readonly refused: number;
}

/** It needs nothing from its host. */
export type ToolLoopEffects = Readonly<Record<never, never>>;

const FORGOTTEN = {
  history: [],
  stalled: 0,
  verdict: null,
  told: {},
  tripped: null,
  suspects: [],
  openedAt: null,
  refused: 0,
} as const;
/** Loops of one history whose warnings are counted; the oldest goes first. */
const TOLD_AT_MOST = 256;

type Answered = Extract<ToolLoopEvent, { type: 'call.answered' }>;

const recordOf = ({ toolName, call, result, poll }: Answered): LoopRecord => ({
  toolName,
  call,
  result,
  poll,
});
const after = (context: ToolLoopContext, answered: Answered): LoopHistory =>
  remember(context, recordOf(answered), context.policy.historySize);
const found = (context: ToolLoopContext, answered: Answered): LoopFinding | null =>
  detect(context.policy, after(context, answered));

/** How many warnings a loop of this length has had: one for each time the threshold fits into its count. */
const share = ({ policy }: ToolLoopContext, { count }: LoopFinding): number =>
  Math.floor(count / policy.warningThreshold);
const isNews = (context: ToolLoopContext, finding: LoopFinding): boolean =>
  share(context, finding) > (context.told[finding.key] ?? 0);

function take(context: ToolLoopContext, answered: Answered): Partial<ToolLoopContext> {
  const finding = found(context, answered);
  const history = after(context, answered);
  if (!finding) return { ...history, verdict: null };
  const news = finding.level === 'critical' || isNews(context, finding);
  const told = news ? noted(context.told, finding.key, share(context, finding)) : context.told;
  return { ...history, told, verdict: { ...finding, news } };
}

function noted(told: ToolLoopContext['told'], key: string, count: number): ToolLoopContext['told'] {
  const entries = Object.entries(told).filter(([name]) => name !== key);
  return Object.fromEntries([...entries, [key, count]].slice(-TOLD_AT_MOST));
}

/** The finding as it is told: to the model, to people, and as a fact. */
export function noticeOf(finding: LoopFinding, policy: LoopPolicy): string {
  if (finding.level === 'critical') return endingText(finding);
  const global = finding.detector === 'global_circuit_breaker';
  return warningText(finding, global ? policy.globalCircuitBreakerThreshold : policy.criticalThreshold);
}

/** The newest verdict as a fact of the catalogue. Total: of nothing when there is none. */
export function loopFact({ verdict, policy, about }: ToolLoopContext): Fact<'tool.loop'> {
  const { level, detector, count, toolName, pairedToolName } = verdict ?? nothing;
  return {
    type: 'tool.loop',
    ...about,
    toolName,
    level,
    action: level === 'critical' ? 'block' : 'warn',
    detector,
    count,
    message: noticeOf(verdict ?? nothing, policy),
    ...(pairedToolName === null ? {} : { pairedToolName }),
  };
}
const nothing: LoopFinding = {
  level: 'warning',
  detector: 'generic_repeat',
  count: 0,
  toolName: '',
  pairedToolName: null,
  stuck: false,
  key: '',
};

const toolLoop = setup({
  types: {
    context: {} as ToolLoopContext,
    events: {} as ToolLoopEvent,
    input: {} as ToolLoopInput,
    output: {} as Ending,
    emitted: {} as Fact<'tool.loop'>,
  },
  actions: {
    take: assign(({ context }, answered: Answered) => take(context, answered)),
    begin: assign(({ context }, answered: Answered) => after(context, answered)),
    trip: assign(({ context: { verdict, history } }, { atMs }: { readonly atMs: number }) => ({
      tripped: verdict,
      suspects: verdict ? suspectsOf(verdict, history) : [],
      openedAt: atMs,
    })),
    /** The same loop goes on where it was left. */
    tripAgain: assign(({ context: { tripped } }, { toolName, atMs }: Answered) => {
      const again = tripped && { ...tripped, toolName, count: tripped.count + 1 };
      return { tripped: again, verdict: again && { ...again, news: true }, openedAt: atMs };
    }),
    cool: assign({ history: [], stalled: 0, verdict: null, told: {}, refused: 0 }),
    forget: assign(FORGOTTEN),
    refuse: assign({ refused: ({ context }) => context.refused + 1 }),
    report: emit(({ context }) => loopFact(context)),
  },
  guards: {
    critical: ({ context }, answered: Answered) => found(context, answered)?.level === 'critical',
    news: ({ context }, answered: Answered) => {
      const finding = found(context, answered);
      return finding !== null && isNews(context, finding);
    },
    suspicious: ({ context }, answered: Answered) => found(context, answered) !== null,
    suspect: ({ context }, { call }: { readonly call: string }) =>
      context.suspects.some((one) => one.call === call),
    sameAgain: ({ context }, { call, result }: Answered) =>
      context.suspects.some((one) => one.call === call && one.result === result),
  },
});

type Heard = { readonly event: Answered };
const answer = ({ event }: Heard): Answered => event;
const taken = { type: 'take', params: answer } as const;
const judged = [
  {
    guard: { type: 'critical', params: answer },
    target: 'open',
    actions: [taken, { type: 'trip', params: answer }, 'report'],
  },
  { guard: { type: 'news', params: answer }, target: 'warning', actions: [taken, 'report'] },
  { guard: { type: 'suspicious', params: answer }, target: 'warning', actions: [taken] },
  { target: 'closed', actions: [taken] },
] as const;

/** Without input, as XState asks for it behind `transition`, it is what it is by default. */
const begun = (input: ToolLoopInput = {}): ToolLoopContext => ({
  ...FORGOTTEN,
  policy: loopPolicy(input.policy),
  about: input.about ?? {},
});

/**
 * The circuit breaker of tool loops: closed, warning while a detector sees a loop, open when it has gone too far, and
 * half open once somebody allows another try. In half open the first call decides: one that is no part of the loop
 * closes the breaker; one that is, is made once, and its answer closes it if it is new and opens it again if not.
 */
export const toolLoopMachine = toolLoop.createMachine({
  id: 'toolLoop',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => begun(input),
  output: endingOf,
  on: {
    'loop.reset': { target: '.closed', actions: 'forget' },
    'supervisor.shutdown': { target: '.stopped' },
  },
  initial: 'closed',
  states: {
    closed: {
      on: { 'call.asked': {}, 'call.answered': [...judged], 'loop.cooled': { actions: 'forget' } },
    },
    warning: {
      on: {
        'call.asked': {},
        'call.answered': [...judged],
        'loop.cooled': { target: 'closed', actions: 'forget' },
      },
    },
    open: {
      on: {
        'call.asked': { actions: 'refuse' },
        // One that was under way.
        'call.answered': {},
        'loop.cooled': { target: 'half_open', actions: 'cool' },
      },
    },
    half_open: {
      on: {
        'call.asked': [
          { guard: { type: 'suspect', params: ({ event }) => event } },
          { target: 'closed', actions: 'forget' },
        ],
        'call.answered': [
          {
            guard: { type: 'sameAgain', params: answer },
            target: 'open',
            actions: [{ type: 'tripAgain', params: answer }, 'report'],
          },
          { target: 'closed', actions: ['forget', { type: 'begin', params: answer }] },
        ],
        'loop.cooled': {},
      },
    },
    stopped: { type: 'final', output: { exit: 'shutdown' } },
  },
});

/** The machine. There is nothing to hand in; the door is the same as everywhere. */
export const withEffects = (_effects: ToolLoopEffects = {}): typeof toolLoopMachine => toolLoopMachine;

/** The machine between two events, as plain JSON: for hosts that keep state of their own and start no actor. */
export interface LoopState {
  readonly state: 'closed' | 'warning' | 'open' | 'half_open' | 'stopped';
  readonly memory: ToolLoopContext;
}

/** The state of a breaker that has seen nothing yet, for whoever steps it by hand. */
export const beginLoop = (input: ToolLoopInput = {}): LoopState => ({ state: FIRST, memory: begun(input) });

/** What the machine begins in. Asked once: one begins with every turn, and nothing but the memory depends on the input. */
const FIRST: LoopState['state'] = initialTransition(toolLoopMachine, {})[0].value;

/** What the machine makes of an event. Pure. What it found is `memory.verdict`. */
export function stepLoop({ state, memory }: LoopState, event: ToolLoopEvent): LoopState {
  const before = toolLoopMachine.resolveState({ value: state, context: memory });
  const [{ value, context }] = transition(toolLoopMachine, before, event);
  return { state: value, memory: context };
}

/**
 * The same for an answer after which nothing but the memory is new, which are nearly all of a long conversation: it is
 * replayed from its beginning, again and again. Undefined: it is for the machine to say.
 */
export function stepQuietly({ state, memory }: LoopState, answered: Answered): LoopState | undefined {
  if (state !== 'closed' && state !== 'warning') return undefined;
  const history = after(memory, answered);
  const finding = detect(memory.policy, history);
  if (finding && (finding.level === 'critical' || isNews(memory, finding))) return undefined;
  const verdict = finding && { ...finding, news: false };
  return { state: finding ? 'warning' : 'closed', memory: { ...memory, ...history, verdict } };
}

const asked = { toolName: 'look', call: 'look:1', result: 'a', poll: false };

/** One of each plain event, for generated tests. */
export const examples = {
  'call.asked': { type: 'call.asked', call: 'look:1', atMs: 1_000 },
  'call.answered': { type: 'call.answered', ...asked, atMs: 2_000 },
  'call.answered anew': { type: 'call.answered', ...asked, result: 'b', atMs: 3_000 },
  'loop.cooled': { type: 'loop.cooled', atMs: 60_000 },
  'loop.reset': { type: 'loop.reset' },
  'supervisor.shutdown': { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
} satisfies Record<string, ToolLoopEvent>;

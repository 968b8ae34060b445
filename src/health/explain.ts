/**
 * Why an actor is in its state: stable finding codes with a sentence each, most important first. Read-only; every
 * sentence is derived from what the actor itself knows, never from a record beside it.
 */
import type { TreeNode } from '../supervisor/registry.ts';

export interface Finding {
  readonly code: FindingCode;
  readonly text: string;
}

export type FindingCode =
  | 'PARKED'
  | 'BACKING_OFF'
  | 'STOPPING'
  | 'SUSPENDED'
  | 'CHILD_PARKED'
  | 'CHILD_BACKING_OFF'
  | 'WAITS_FOR_TICKET'
  | 'RUN_ACTIVE'
  | 'RUN_CRASHED'
  | 'COMMITTING'
  | 'COMMIT_FAILING'
  | 'WAITS_FOR_ANSWER'
  | 'IDLE'
  | 'MODEL_CALL'
  | 'MODEL_BACKOFF'
  | 'TOOL_CALL'
  | 'DEADLINE'
  | 'LANE_FULL'
  | 'GATE_CLOSED'
  | 'COOLING'
  | 'QUEUED'
  | 'HAS_RESTARTED'
  | 'NOT_ALIVE'
  | 'RUNNING';

export interface Subject {
  readonly path: string;
  readonly node: TreeNode | undefined;
  /** Context of its machine, if it is one. */
  readonly context: Readonly<Record<string, unknown>>;
  /** The same of what it depends on: the run of a session, the lane it asks. */
  readonly run?: { readonly state: string; readonly context: Readonly<Record<string, unknown>> } | undefined;
  readonly lane?: Readonly<Record<string, unknown>> | undefined;
  /** The last report about it, as text. */
  readonly lastReport?: string | undefined;
  readonly now: number;
}

export function explain(subject: Subject): Finding[] {
  const { node } = subject;
  if (!node)
    return [
      {
        code: 'NOT_ALIVE',
        text: `nobody lives at ${subject.path}; a session is started by its next message`,
      },
    ];
  const findings = [
    ...supervised(subject, node),
    ...(node.kind === 'supervisor' ? troubledChildren(node) : domain(subject, node)),
  ];
  if (node.queued > 0) findings.push({ code: 'QUEUED', text: `${node.queued} wait behind it` });
  if (node.restarts > 0) {
    const because = subject.lastReport ? `; last: ${subject.lastReport}` : '';
    findings.push({
      code: 'HAS_RESTARTED',
      text: `life ${node.incarnation}, ${times(node.restarts)} restarted${because}`,
    });
  }
  if (findings.length === 0)
    findings.push({
      code: 'RUNNING',
      text: `runs in state ${node.state}; last progress ${ago(node.progressAgeMs)}`,
    });
  return findings;
}

function supervised({ path, lastReport }: Subject, node: TreeNode): Finding[] {
  const why = lastReport ? `: ${lastReport}` : '';
  if (node.status === 'parked') {
    const byHand = lastReport === 'operator';
    const back = `\`coppice unpark ${path}\` brings it back now`;
    const text = byHand
      ? `held down by an operator; ${back}`
      : `held down${why}. It is probed again by itself; ${back}`;
    return [{ code: 'PARKED', text }];
  }
  if (node.status === 'backing-off') return [{ code: 'BACKING_OFF', text: `waits for its next start${why}` }];
  if (node.status === 'stopping')
    return [{ code: 'STOPPING', text: 'is going down, or waits for a sibling it depends on' }];
  if (node.held !== undefined)
    return [
      { code: 'SUSPENDED', text: `suspended by an operator; ${node.held} events wait until it is resumed` },
    ];
  return [];
}

function troubledChildren(node: TreeNode): Finding[] {
  return node.children.flatMap((child): Finding[] => {
    if (child.status === 'parked') return [{ code: 'CHILD_PARKED', text: `${child.id} is parked` }];
    if (child.status === 'backing-off')
      return [{ code: 'CHILD_BACKING_OFF', text: `${child.id} waits for its next start` }];
    return [];
  });
}

type Teller = (subject: Subject, node: TreeNode) => Finding[];

/** By the first word of the state, so that a machine may refine its states. */
function domain(subject: Subject, node: TreeNode): Finding[] {
  const teller = TELLERS.find(([kind, state]) => kind.test(node.path) && node.state.startsWith(state));
  return teller ? teller[2](subject, node) : [];
}

const SESSION = /\/sessions\/[^/]+$/;
const RUN = /\/sessions\/[^/]+\/run$/;
const TELLERS: readonly (readonly [path: RegExp, state: string, Teller])[] = [
  [SESSION, 'idle', () => [{ code: 'IDLE', text: 'waits for a message' }]],
  [SESSION, 'processing.turn.requesting', waitsForTicket],
  [SESSION, 'processing.turn.running', runActive],
  [SESSION, 'processing.turn.recovering', crashed],
  [SESSION, 'processing', committing],
  [SESSION, 'waiting', waitsForAnswer],
  [RUN, '', (subject, node) => runFindings(node.state, subject.context, subject.now)],
  [/\/lanes\/[^/]+$/, '', laneFindings],
  [
    /\/gate$/,
    '',
    (subject, node) =>
      node.state === 'open'
        ? []
        : [{ code: 'GATE_CLOSED', text: `admits nobody: ${text(subject.context['reason'], node.state)}` }],
  ],
  [
    /\/models\/[^/]+$/,
    'cooling',
    ({ context, now }) => [
      {
        code: 'COOLING',
        text: `left alone for another ${span(number(context['untilAt']) - now)} after: ${text(context['class'], 'failures')}`,
      },
    ],
  ],
];

function waitsForTicket({ context, lane }: Subject): Finding[] {
  const name = text(record(context['input'])['lane'], 'its lane');
  const holders = Object.keys(record(lane?.['holders'])).length;
  const waiting = Array.isArray(lane?.['queue']) ? lane['queue'].length : 0;
  const busy = lane
    ? `; ${holders} of ${text(lane['maxConcurrent'], '?')} tickets are out, ${waiting} wait`
    : '';
  return [{ code: 'WAITS_FOR_TICKET', text: `waits for a ticket of lane ${name}${busy}` }];
}

function runActive(subject: Subject): Finding[] {
  const { run, now } = subject;
  const turn = record(subject.context['turn']);
  const started: Finding = {
    code: 'RUN_ACTIVE',
    text: `a turn runs since ${span(now - number(turn['startedAt']))}`,
  };
  return [
    ...(run ? runFindings(run.state, run.context, now) : []),
    started,
    ...deadline(turn['deadlineAt'], now),
  ];
}

function runFindings(state: string, context: Readonly<Record<string, unknown>>, now: number): Finding[] {
  const asking = record(context['asking']);
  const candidate = record(list(record(context['prepared'])['candidates'])[number(asking['candidate'])]);
  const model = `${text(candidate['provider'], '?')}/${text(candidate['model'], '?')}`;
  if (state.startsWith('attempting')) {
    const sign = Math.max(number(context['progressAt']), number(asking['startedAt']));
    return [{ code: 'MODEL_CALL', text: `waits for ${model}; last sign of it ${span(now - sign)} ago` }];
  }
  if (state.startsWith('backoff')) {
    const failure = text(record(asking['last'])['class'], 'it failed');
    return [{ code: 'MODEL_BACKOFF', text: `${model}: ${failure}; tries again shortly` }];
  }
  if (state.startsWith('calling')) {
    const open = record(list(context['calls'])[0]);
    return [{ code: 'TOOL_CALL', text: `waits for tool ${text(open['toolName'], '?')}` }];
  }
  return [];
}

function crashed({ context }: Subject): Finding[] {
  const crashes = number(record(context['turn'])['crashes']);
  return [{ code: 'RUN_CRASHED', text: `the turn crashed ${times(crashes)} and is begun anew shortly` }];
}

function committing({ context }: Subject): Finding[] {
  const failures = number(context['storeFailures']);
  if (failures > 0)
    return [
      {
        code: 'COMMIT_FAILING',
        text: `the outcome could not be committed ${times(failures)}; it tries again`,
      },
    ];
  return [{ code: 'COMMITTING', text: 'commits the outcome of a turn' }];
}

function waitsForAnswer({ context, now }: Subject): Finding[] {
  const since = span(now - number(record(context['question'])['askedAt']));
  return [
    {
      code: 'WAITS_FOR_ANSWER',
      text: `asked ${since} ago whether to repeat a tool call whose outcome is unknown; the next message decides (retry or skip)`,
    },
  ];
}

function laneFindings({ context }: Subject): Finding[] {
  const holders = Object.keys(record(context['holders'])).length;
  const queue = Array.isArray(context['queue']) ? context['queue'].length : 0;
  return queue > 0
    ? [
        {
          code: 'LANE_FULL',
          text: `all ${holders} of ${text(context['maxConcurrent'], '?')} tickets are out`,
        },
      ]
    : [];
}

const deadline = (at: unknown, now: number): Finding[] =>
  number(at) > 0
    ? [{ code: 'DEADLINE', text: `ends by itself in ${span(number(at) - now)}, with what there is by then` }]
    : [];

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value ? (value as Record<string, unknown>) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
const text = (value: unknown, otherwise: string): string =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : otherwise;
const times = (n: number): string => (n === 1 ? 'once' : `${n} times`);
const ago = (ms: number): string => `${span(ms)} ago`;

function span(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  return s < 3600 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`;
}

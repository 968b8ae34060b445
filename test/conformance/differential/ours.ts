/** Our supervisor under the same script: simulated clock, no backoff, no park. */
import { createActor, setup, type AnyActorLogic } from 'xstate';
import {
  createSupervision,
  type AdminCommand,
  type ChildSpec,
  type Reply,
  type Report,
  type StartContext,
  type Supervision,
  type SupervisorSpec,
  type TreeNode,
} from '../../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../../src/testing/clock.ts';
import type { Answer, Leaf, Node, Op, Script, Sup } from './script.ts';
import type { Trace } from './trace.ts';

/** As OTP's script has it: longer than any run, so that no exit comes near the edge. */
const PERIOD_MS = 3_600_000;
/** More than any shutdown deadline of a script, less than the period divided by its steps. */
const QUIESCE_MS = 10_000;

interface WorkerInput {
  readonly path: string;
  /** What it does to a sibling before it stops. */
  take(): void;
}

const worker = (answer: Answer): AnyActorLogic =>
  setup({
    types: {
      input: {} as WorkerInput,
      context: {} as WorkerInput,
      events: {} as { type: string },
    },
    actions: {
      crash: () => {
        throw new Error('told to crash');
      },
      hang: () => {},
      take: ({ context }) => context.take(),
    },
  }).createMachine({
    context: ({ input }) => input,
    initial: 'up',
    states: {
      up: {
        on: {
          'finish.normal': 'normal',
          'finish.shutdown': 'shutdown',
          'finish.error': { actions: 'crash' },
          'supervisor.shutdown':
            answer === 'hang' ? { actions: 'hang' } : { target: answer, actions: 'take' },
        },
      },
      normal: { type: 'final', output: { exit: 'normal' } },
      shutdown: { type: 'final', output: { exit: 'shutdown' } },
      error: { type: 'final', output: { exit: 'error' } },
    },
    output: ({ event }) => (event as unknown as { output: unknown }).output,
  }) as AnyActorLogic;

const workers: Record<Answer, AnyActorLogic> = {
  shutdown: worker('shutdown'),
  normal: worker('normal'),
  error: worker('error'),
  hang: worker('hang'),
};

export async function runOurs({ failures, tree, ops }: Script): Promise<Trace> {
  const clock = createSimulatedClock(0);
  let events: string[] = [];
  const attempts = new Map<string, number>();
  const supervision = createSupervision({
    clock,
    random: () => 0.5,
    report: (report) => events.push(reportLine(report)),
  });

  const take = (path: string, { id, reason }: NonNullable<Leaf['takes']>): void =>
    void supervision.registry.tell(`${path.slice(0, path.lastIndexOf('/'))}/${id}`, {
      type: `finish.${reason}`,
    });
  const input = (node: Node, { path, incarnation, scope }: StartContext): unknown => {
    const attempt = (attempts.get(path) ?? 0) + 1;
    attempts.set(path, attempt);
    if (failures.some((f) => f.path === path && attempt >= f.from && attempt < f.from + f.times)) {
      events.push(`refuse ${path}`);
      throw new Error('told to refuse');
    }
    events.push(`start ${path}`);
    scope.add(() => {
      const { reason } = scope.signal;
      events.push(`end ${path} ${typeof reason === 'string' ? reason : 'failed'}`);
    });
    const takes = node.kind === 'leaf' ? node.takes : undefined;
    return { path, incarnation, take: () => takes && take(path, takes) };
  };
  const childSpec = (node: Node): ChildSpec => ({
    id: node.id,
    input: (start) => input(node, start),
    restart: node.restart,
    shutdown: node.shutdown,
    significant: node.significant,
    logic: node.kind === 'leaf' ? workers[node.answer] : supervision.supervisor(supSpec(node)),
  });
  const supSpec = (sup: Sup): SupervisorSpec => ({
    strategy: sup.strategy,
    intensity: sup.intensity,
    periodMs: PERIOD_MS,
    autoShutdown: sup.auto,
    children: sup.children.map(childSpec),
  });

  let ended: string | undefined;
  const root = createActor(supervision.supervisor(supSpec(tree)), {
    clock,
    input: { path: 'root', incarnation: 1 },
  });
  const end = (reason: string): void => {
    if (ended === undefined) events.push(`end root ${reason}`);
    ended ??= reason;
  };
  root.subscribe({
    next: (snapshot) => snapshot.status === 'done' && end((snapshot.output as { exit: string }).exit),
    error: () => end('failed'),
  });
  supervision.root(root, 'root');

  const steps: string[][] = [];
  const step = async (act: () => string | (() => string)): Promise<void> => {
    const answer = act();
    await clock.settle();
    // A worker that hangs is waited for.
    if (clock.pending > 0) await clock.advanceAsync(QUIESCE_MS);
    const state = ended === undefined ? stateOf(supervision, 'root') : ['gone'];
    if (ended === undefined) events.push(...treeFaults(supervision, state));
    steps.push([typeof answer === 'string' ? answer : answer(), ...events, ...state]);
    events = [];
  };

  const admin = (path: string, command: AdminCommand): (() => string) => {
    if (supervision.registry.incarnation(path) === undefined) return () => 'noproc';
    let reply: Reply | undefined;
    void supervision.admin(path, command).then((answer) => (reply = answer));
    return () => (reply === undefined ? 'no answer' : reply.ok ? 'ok' : reply.reason);
  };
  const act = (op: Op): string | (() => string) => {
    switch (op.kind) {
      case 'stop':
        root.send({ type: 'supervisor.shutdown', reason: 'shutdown', deadlineMs: 0 });
        return 'ok';
      case 'exit':
        return supervision.registry.tell(op.path, { type: `finish.${op.reason}` }) === 'sent'
          ? 'ok'
          : 'noproc';
      case 'start':
        return admin(op.path, { type: 'start_child', spec: childSpec(op.spec) });
      default:
        return admin(op.path, { type: `${op.kind}_child`, id: op.id });
    }
  };

  await step(() => {
    events.push('start root');
    root.start();
    return 'boot';
  });
  for (const op of ops) {
    if (ended !== undefined) break;
    await step(() => act(op));
  }
  return steps;
}

/** Every child of every living supervisor, in start order: `up`, or `down` with its spec kept. */
function stateOf(supervision: Supervision, path: string): string[] {
  return supervision.whichChildren(path).flatMap(({ path: child, child: life, type }) => {
    if (life === undefined) return [`has ${child} down`];
    if (typeof life === 'string') return [`has ${child} ${life}`];
    return [`has ${child} up`, ...(type === 'supervisor' ? stateOf(supervision, child) : [])];
  });
}

/** The live tree that people look at must show exactly who is up. */
function treeFaults(supervision: Supervision, state: readonly string[]): string[] {
  const shown = (node: TreeNode): string[] =>
    node.children.flatMap((child) => [`has ${child.path} up`, ...shown(child)]);
  const tree = shown(supervision.registry.tree());
  const up = state.filter((line) => line.endsWith(' up'));
  return tree.join() === up.join() ? [] : [`the tree shows ${tree.join(', ')}`];
}

function reportLine({ path, childPath, body }: Report): string {
  const id = childPath.slice(childPath.lastIndexOf('/') + 1);
  const reason = body.type === 'child_terminated' || body.type === 'shutdown_error' ? ` ${body.reason}` : '';
  const shutdown = body.type === 'shutdown' && body.reason.includes('brought the restarts over');
  return `report ${path} ${id} ${shutdown ? 'exhausted' : body.type}${reason}`;
}

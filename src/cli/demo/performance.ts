import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CoppiceError } from '../../errors.ts';
import type { TreeNode } from '../../supervisor/registry.ts';
import { retryAfterMs } from '../client.ts';
import type { Io } from '../io.ts';
import { type Link, newsLine, openLink } from '../link.ts';
import { killIfAlive, ownEnvironment, type OwnGateway } from '../own-gateway.ts';
import type { MessageView } from '../render/sessions.ts';
import { runTurn } from '../turn.ts';
import { cameTooLate, type Check, type Exchange, type Facts, judge } from './evidence.ts';
import type { Stage } from './stage.ts';

export interface Evidence extends Facts {
  readonly checks: readonly Check[];
}

const SESSION = 'demo';
const SESSIONS_PATH = 'gateway/core/work/sessions';
const SESSION_PATH = `${SESSIONS_PATH}/${SESSION}`;
const GROW_BACK_MS = 10_000;
/** Takes ten seconds, a word at a time. */
const SLOW_MESSAGE = '/drip again';
/** Takes a moment, with one tool call fewer than the breaker of tool loops allows. */
const QUICK_MESSAGE = '/steps 19';
/** On a machine that is held up the answer may be there before the kill: then one more message is tried. */
const KILLS = 5;

interface Scene {
  readonly gateway: OwnGateway;
  readonly link: Link;
  readonly stage: Stage;
}

/** Hurts a gateway of its own, and gathers the evidence. Rejects when it cannot go on. */
export async function perform(
  io: Io,
  gateway: OwnGateway,
  stage: Stage,
  { quick, signal }: { readonly quick: boolean; readonly signal: AbortSignal },
): Promise<Evidence> {
  const link = await openLink(
    { ...io, env: ownEnvironment(io) },
    { stateDir: gateway.stateDir },
    { onNews: (news) => stage.note(newsLine(news)) },
  );
  // Whatever waits for an answer then rejects.
  const leave = (): void => link.close();
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  const scene = { gateway, link, stage };
  try {
    const { pid } = (await request(link, 'status')) as { pid: number };
    stage.note(`launcher ${gateway.pid}, gateway ${pid}, state in ${gateway.stateDir}`);
    await stage.say('1. A message, and its answer as it comes.');
    const hello = await exchange(scene, 'Hello! Who answers here?');
    await stage.say('2. Everything that runs has an owner. This is the tree, live:');
    await stage.tree(await treeAt(link, 'gateway'));
    const sessionLives = await crashSession(scene, pid);
    const again = await exchange(scene, 'Do you still know me?');
    await stage.say('4. The whole process is killed with -9, as soon as it has accepted the next message.');
    const { kill, exchanges: survivors } = await killInTime(scene, quick ? QUICK_MESSAGE : SLOW_MESSAGE);
    await stage.tree(await treeAt(link, SESSIONS_PATH));
    const exchanges = [hello, again, ...survivors];
    return conclude(stage, { exchanges, sessionLives, kill, messages: await messagesOf(link) });
  } finally {
    signal.removeEventListener('abort', leave);
    link.close();
  }
}

async function conclude(stage: Stage, facts: Facts): Promise<Evidence> {
  await stage.say('5. What the record says, read back from the gateway:');
  const checks = judge(facts);
  for (const { name, ok, seen } of checks) stage.result(ok, `${name} (${seen})`);
  return { checks, ...facts };
}

/** Says one message and shows the answer. `onAccepted` is called once, when it is on disk. */
async function exchange(
  { link, stage }: Scene,
  message: string,
  onAccepted: (heard: string) => void = () => {},
): Promise<Exchange> {
  const runId = randomUUID();
  const answer = stage.answer();
  let pieces = 0;
  let heard = '';
  let accepted = false;
  stage.user(message);
  const outcome = await runTurn(
    link,
    { sessionKey: SESSION, message, runId },
    {
      accepted() {
        if (!accepted) onAccepted(heard);
        accepted = true;
      },
      text(soFar) {
        pieces += 1;
        answer.text((heard = soFar));
      },
      tool: () => {},
    },
  );
  answer.end(outcome.text);
  return { runId, message, status: outcome.status, text: outcome.text, pieces };
}

async function crashSession({ link, stage }: Scene, pid: number): Promise<Facts['sessionLives']> {
  const before = await treeAt(link, SESSION_PATH);
  await stage.say(`3. A crash: the actor of this session is killed in its life ${before.incarnation}.`);
  await request(link, 'actor.kill', { path: SESSION_PATH });
  const after = await nextLife(link, before.incarnation);
  stage.note(`its supervisor started life ${after.incarnation}; nobody else noticed:`);
  await stage.tree(await treeAt(link, SESSIONS_PATH));
  const now = (await request(link, 'status')) as { pid: number };
  return { before: before.incarnation, after: after.incarnation, samePid: now.pid === pid };
}

async function nextLife(link: Link, before: number): Promise<TreeNode> {
  const deadlineMs = performance.now() + GROW_BACK_MS;
  while (performance.now() < deadlineMs) {
    const node = await treeAt(link, SESSION_PATH).catch(unlessGone);
    if (node?.status === 'running' && node.incarnation !== before) return node;
    await delay(20);
  }
  throw new CoppiceError('EVIDENCE_MISSING', { missing: `no next life of ${SESSION_PATH}` });
}

/** Between two lives there may be nobody at the path. */
function unlessGone(error: unknown): undefined {
  if (error instanceof CoppiceError && error.code === 'REQUEST_REFUSED') return undefined;
  throw error;
}

/** Kills until a kill comes before the answer. Whatever was said on the way is evidence as well. */
async function killInTime(
  scene: Scene,
  message: string,
): Promise<{ readonly kill: Facts['kill']; readonly exchanges: readonly Exchange[] }> {
  const exchanges: Exchange[] = [];
  for (;;) {
    const { kill, exchange: survivor } = await killProcess(scene, message);
    exchanges.push(survivor);
    const late = cameTooLate(kill, await messagesOf(scene.link));
    if (!late || exchanges.length === KILLS) return { kill, exchanges };
    scene.stage.note('the answer was there before the kill, so one more message is tried');
  }
}

async function killProcess(
  scene: Scene,
  message: string,
): Promise<{ readonly kill: Facts['kill']; readonly exchange: Exchange }> {
  const { gateway, stage, link } = scene;
  const victim = gateway.owner();
  if (!victim) throw new CoppiceError('EVIDENCE_MISSING', { missing: 'nobody owns the state directory' });
  let acceptedAt = 0;
  let heardBefore = '';
  let back: ReturnType<OwnGateway['ready']> | undefined;
  const survivor = await exchange(scene, message, (heard) => {
    killIfAlive(victim.pid);
    acceptedAt = Date.now();
    heardBefore = heard;
    stage.note(`accepted; process ${victim.pid} was killed with -9`);
    back = gateway.ready(victim.pid);
    back.then(
      (owner) => stage.note(`the launcher brought it back as process ${owner.pid}`),
      (error: unknown) => stage.note(String(error)),
    );
  });
  const next = await (back ?? gateway.ready(victim.pid));
  const { startedAt } = (await request(link, 'status')) as { startedAt: number };
  const kill = {
    pid: victim.pid,
    nextPid: next.pid,
    launcherPid: victim.launcherPid,
    nextLauncherPid: next.launcherPid,
    runId: survivor.runId,
    heardBefore,
    acceptedAt,
    nextStartedAt: startedAt,
  };
  return { kill, exchange: survivor };
}

async function treeAt(link: Link, path: string): Promise<TreeNode> {
  return ((await request(link, 'tree.get', { path })) as { tree: TreeNode }).tree;
}

async function messagesOf(link: Link): Promise<readonly MessageView[]> {
  const history = await request(link, 'chat.history', { sessionKey: SESSION, limit: 1_000 });
  return (history as { messages: MessageView[] }).messages;
}

/** Over whatever connection there is; what only a moment can cure is asked once more. */
async function request(link: Link, method: string, params: object = {}): Promise<unknown> {
  try {
    return await (await link.client()).request(method, params);
  } catch (error) {
    if (retryAfterMs(error) === undefined || link.closed) throw error;
    return (await link.client()).request(method, params);
  }
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { createPrepare } from '../../src/actors/context.ts';
import { heartbeatChild } from '../../src/actors/heartbeat.ts';
import { PATHS } from '../../src/actors/paths.ts';
import type { RunOptions } from '../../src/actors/run-options.ts';
import { createSignalSeq } from '../../src/actors/signal-seq.ts';
import { heartbeatMachine } from '../../src/machines/heartbeat.ts';
import { turnMessage } from '../../src/machines/offered.ts';
import { openReader, openStore, STORE_FILE, type Reader } from '../../src/store/index.ts';
import { openHouse, type House } from '../actors/house.ts';
import { settled } from '../e2e/talk.ts';
import { eventually, openWire } from '../e2e/wire.ts';
import { inFolder, startScribe, TOKEN, TURNS, type Left, type TurnName } from './checkpoint-gateway.ts';

const ROOT = join(import.meta.dirname, '../..');
const FIXTURES = join(ROOT, 'test/fixtures/checkpoints');
const read = (path: string): string => readFileSync(path, 'utf8');

/** The releases the changelog tells of, the coming one included: its checkpoints are written from its first day. */
const releases = [...read(join(ROOT, 'CHANGELOG.md')).matchAll(/^## \[?(\d+\.\d+\.\d+)/gm)].map(
  ([, one]) => one!,
);
const recorded = readdirSync(FIXTURES).toSorted();
const left = (release: string, name: string): Left =>
  JSON.parse(read(join(FIXTURES, release, `${name}.json`))) as Left;

/** What each turn comes to in a later life, and which tools that life calls: none whose outcome is known. */
const RESUMED: Readonly<
  Record<TurnName, { readonly asks: boolean; readonly text: string; readonly calls: string[] }>
> = {
  'run-open-call': { asks: true, text: 'they said: ', calls: [] },
  'run-open-idempotent-call': { asks: false, text: 'they said: lookup line 1', calls: ['lookup 1'] },
  'run-known-outcome': { asks: false, text: 'they said: ledger line 1', calls: [] },
  'run-second-round': { asks: true, text: 'they said: lookup line 1, ', calls: ['lookup 3'] },
};
const NAMES = [...Object.keys(TURNS), 'heartbeat-armed', 'heartbeat-in-hand', 'restart'].toSorted();

test('every release of the changelog has left its checkpoints here, and no other has', () => {
  expect(releases.length).toBeGreaterThan(0);
  expect(
    recorded,
    'a release has no recorded checkpoints: run `node test/long/checkpoints.ts` with its version in package.json, and never change what was recorded before',
  ).toEqual(releases.toSorted());
  for (const release of recorded)
    expect(readdirSync(join(FIXTURES, release)).toSorted(), release).toEqual(
      NAMES.map((name) => `${name}.json`),
    );
});

/** A state directory as that release left it, and a gateway of today over it. */
async function withLife<T>(
  found: Left,
  use: (life: {
    readonly wire: Awaited<ReturnType<typeof openWire>>;
    readonly called: readonly string[];
    readonly reader: Reader;
  }) => Promise<T>,
): Promise<T> {
  return inFolder(async (stateDir) => {
    await seed(stateDir, found);
    const { gateway, called } = await startScribe({ stateDir });
    const reader = openReader(join(stateDir, STORE_FILE));
    const wire = await openWire({ url: `http://127.0.0.1:${gateway.port}`, token: TOKEN });
    try {
      return await use({ wire, called, reader });
    } finally {
      wire.close();
      reader.close();
      await gateway.stop('the test is over', { fast: true });
    }
  });
}

async function seed(dir: string, { checkpoint, session, message, journal = [] }: Left): Promise<void> {
  const store = await openStore({ dir, owner: 'an earlier release' });
  const { statements } = store;
  await store.commit([
    ...(session ? statements.touchSession({ ...session, at: session.updatedAt }) : []),
    ...(message ? statements.acceptMessage(message) : []),
    ...journal.flatMap(({ outcomeAt, output, isError = false, ...intent }) => [
      ...statements.toolIntent(intent),
      ...(outcomeAt === undefined
        ? []
        : statements.toolOutcome(intent.runId, intent.toolCallId, { at: outcomeAt, output, isError })),
    ]),
    ...statements.putCheckpoint(checkpoint),
  ]);
  await store.close();
}

describe.each(recorded)('what %s left', (release) => {
  test.each(Object.entries(RESUMED))(
    '%s: the turn goes on where it was, its answer stands once, and no tool with a known outcome is called again',
    async (name, { asks, text, calls }) => {
      await withLife(left(release, name), async ({ wire, called, reader }) => {
        if (asks) {
          await eventually('the question', () => reader.session(name)?.messageCount || undefined);
          expect([called, reader.run(name)?.status]).toEqual([[], 'accepted']);
          const answer = { sessionKey: name, message: 'skip', idempotencyKey: `${name}-answer` };
          await wire.ask('chat.send', answer);
        }
        expect(await settled(wire, name)).toBe('ok');
        expect(called).toEqual(calls);
        expect(reader.run(name)?.result?.['text']).toContain(text);
        expect(reader.checkpoint('run', name)).toBeUndefined();
        const { messages } = await wire.ask('chat.history', { sessionKey: name });
        const said = (messages as { role: string; content: { type: string; text?: string }[] }[]).filter(
          ({ role, content }) =>
            role === 'assistant' && content.some((part) => part.text?.includes('they said')),
        );
        expect(said).toHaveLength(1);
      });
    },
  );

  test('restart: the cool-down between planned restarts goes on from there', async () => {
    const found = left(release, 'restart');
    await withLife(found, async ({ wire }) => {
      expect(await wire.ask('restart.status')).toMatchObject({
        restartedAt: found.checkpoint.facts['restartedAt'],
      });
    });
  });

  test('heartbeat-armed: its slot comes when it was due, not an interval after the start', async () => {
    const found = left(release, 'heartbeat-armed');
    const dueAt = Number(found.checkpoint.facts['dueAt']);
    const slots = await beat(found, dueAt - 1_000, (house) => tick(house, dueAt));
    expect(slots).toEqual([String(dueAt)]);
  });

  test('heartbeat-in-hand: the slot that was under way is offered again under its own id', async () => {
    const found = left(release, 'heartbeat-in-hand');
    const slots = await beat(found, found.checkpoint.at + 1_000, () => Promise.resolve());
    expect(slots).toEqual([String(found.checkpoint.facts['slot'])]);
  });
});

const tick = async (house: House, atMs: number): Promise<void> => {
  house.deps.registry.tell(PATHS.heartbeat, { type: 'clock.tick', atMs } as never);
  await house.clock.settle();
};

/** The slots that a heartbeat of today offers when it starts at `atMs` over what was left. */
async function beat(found: Left, atMs: number, then: (house: House) => Promise<void>): Promise<string[]> {
  const house = await openHouse();
  const offered: string[] = [];
  try {
    await house.clock.advanceAsync(atMs - house.clock.now());
    await house.store.commit(house.store.statements.putCheckpoint(found.checkpoint));
    const door = {
      async offer({ platformId, runId }: { platformId: string; runId: string }) {
        offered.push(platformId);
        return { kind: 'accepted', runId, at: house.clock.now() } as const;
      },
    };
    const options = { agentId: 'main', everyMs: 3_600_000, prompt: 'anything to do?' };
    await house.start({ edge: [heartbeatChild({ ...house.deps, door }, options)] });
    await then(house);
    return offered;
  } finally {
    await house.close();
  }
}

describe('what a later release left, of which this one knows nothing,', () => {
  const newer = (name: string): Left => {
    const found = left(recorded.at(-1)!, name);
    return { ...found, checkpoint: { ...found.checkpoint, version: 99 } };
  };

  test('ends a turn with CHECKPOINT_UNREADABLE and both versions, instead of going on from half of it', async () => {
    const house = await openHouse();
    try {
      const found = newer('run-open-call');
      await house.store.commit(house.store.statements.putCheckpoint(found.checkpoint));
      const options: RunOptions = {
        candidates: () => [],
        tools: () => new Map(),
        workspace: () => '',
        systemPrompt: () => '',
        seq: createSignalSeq(),
        retry: {},
        idleMs: 1,
        firstByteMs: 1,
      };
      const message = turnMessage(found.message!, 1);
      const prepare = createActor(createPrepare(house.deps, options), {
        input: {
          path: 'run',
          incarnation: 1,
          sessionKey: 'k',
          sessionId: 's',
          agentId: 'main',
          message,
          decision: null,
          deadlineAt: 1,
        },
      });
      const outcome = toPromise(prepare);
      prepare.start();
      await expect(outcome).rejects.toMatchObject({
        code: 'CHECKPOINT_UNREADABLE',
        details: { version: 99, expected: left(recorded.at(-1)!, 'run-open-call').checkpoint.version },
      });
    } finally {
      await house.close();
    }
  });

  test('is no slot to a heartbeat: it begins anew, an interval from now', async () => {
    const found = newer('heartbeat-in-hand');
    const atMs = found.checkpoint.at + 1_000;
    let armed: unknown;
    const slots = await beat(found, atMs, async (house) => {
      armed = house.at(PATHS.heartbeat, heartbeatMachine).context.dueAt;
    });
    expect([slots, armed]).toEqual([[], atMs + 3_600_000]);
  });
});

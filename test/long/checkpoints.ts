/**
 * Records what this release leaves on disk when it dies in the middle of something, for every release after it to
 * resume from: test/fixtures/checkpoints/VERSION/NAME.json. Run it once, before a release; never change what is there.
 *
 *   node test/long/checkpoints.ts
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerHelp } from '../../scripts/help.ts';
import { openReader, STORE_FILE } from '../../src/store/index.ts';
import type { Reader, StoredInboxRow } from '../../src/store/index.ts';
import { openWire, eventually } from '../e2e/wire.ts';
import {
  inFolder,
  startScribe,
  TOKEN,
  TURNS,
  type Left,
  type TurnName,
} from '../machines/checkpoint-gateway.ts';

answerHelp(import.meta.filename);
const ROOT = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const folder = join(ROOT, 'test/fixtures/checkpoints', version);

async function withReader<T>(stateDir: string, look: (read: Reader) => T | Promise<T>): Promise<T> {
  const reader = openReader(join(stateDir, STORE_FILE));
  try {
    return await look(reader);
  } finally {
    reader.close();
  }
}

/** Says its words, waits until it hangs where it should, and looks at the disk meanwhile. */
const turn = (name: TurnName): Promise<Left> =>
  inFolder(async (stateDir) => {
    const { text, hangs } = TURNS[name];
    const { gateway } = await startScribe({ stateDir, hangs: () => hangs });
    const wire = await openWire({ url: `http://127.0.0.1:${gateway.port}`, token: TOKEN });
    try {
      const started = { sessionKey: name, message: text, idempotencyKey: name };
      await wire.ask('chat.send', started);
      return await withReader(stateDir, (read) =>
        eventually(`${name} hangs`, () => {
          const journal = read.toolJournal(name);
          const checkpoint = read.checkpoint('run', name);
          const last = journal.at(-1);
          const hanging =
            hangs === 'silence'
              ? last?.outcomeAt !== undefined
              : last?.toolName === hangs && last.outcomeAt === undefined;
          const [message] = read.pendingMessages(name);
          const session = read.session(name);
          if (!hanging || !checkpoint || !message || last?.toolName === undefined) return undefined;
          return {
            release: version,
            checkpoint,
            ...(session ? { session } : {}),
            message: plain(message),
            journal,
          };
        }),
      );
    } finally {
      wire.close();
      await gateway.stop('recorded', { fast: true });
    }
  });

const plain = ({ status: _, position: __, ...row }: StoredInboxRow): NonNullable<Left['message']> => row;

const heartbeat = (inHand: boolean): Promise<Left> =>
  inFolder(async (stateDir) => {
    const { gateway } = await startScribe({
      stateDir,
      hangs: () => 'silence',
      heartbeatEvery: inHand ? '2s' : '1h',
    });
    try {
      return await withReader(stateDir, (read) =>
        eventually('a heartbeat is on record', () => {
          const checkpoint = read.checkpoint('heartbeat', 'main');
          return checkpoint && (checkpoint.facts['slot'] !== null) === inHand
            ? { release: version, checkpoint }
            : undefined;
        }),
      );
    } finally {
      await gateway.stop('recorded', { fast: true });
    }
  });

const restart = (): Promise<Left> =>
  inFolder(async (stateDir) => {
    const { gateway } = await startScribe({ stateDir });
    gateway.requestRestart('to be recorded');
    await gateway.ended;
    return withReader(stateDir, (read) => ({
      release: version,
      checkpoint: read.checkpoint('restart', 'gateway')!,
    }));
  });

mkdirSync(folder, { recursive: true });
const save = (name: string, left: Left): void => {
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(left, null, 2)}\n`);
  process.stdout.write(`wrote ${name}\n`);
};
for (const name of Object.keys(TURNS) as TurnName[]) save(name, await turn(name));
save('heartbeat-armed', await heartbeat(false));
save('heartbeat-in-hand', await heartbeat(true));
save('restart', await restart());
process.exit(0);

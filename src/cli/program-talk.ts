import type { Command } from 'commander';
import { command, type Done, group } from './command.ts';
import type { Io } from './io.ts';
import type { CommonOptions } from './options.ts';

/** What one talks with: `chat` and `sessions`. */
export function addTalkCommands(program: Command, io: Io, done: Done): void {
  addChat(program, io, done);
  addSessions(program, io, done);
}

function addChat(program: Command, io: Io, done: Done): void {
  command(
    program,
    'chat',
    'Talk to the agent. With a message, or one piped in: one answer on stdout, and 0 or 1.',
    'coppice chat "What is in my workspace?"\n  git diff | coppice chat --session review',
  )
    .argument('[message]', 'one message; without it a conversation begins')
    .option('--session <key>', 'the session to talk in', 'agent:main:main')
    .action(async (message: string | undefined, options: { session: string }) =>
      done(await (await import('./commands/chat.ts')).chat(io, message, options)),
    );
}

function addSessions(program: Command, io: Io, done: Done): void {
  const load = () => import('./commands/sessions.ts');
  const list = async (options: CommonOptions): Promise<void> => done(await (await load()).list(io, options));
  const sessions = group(
    program,
    'sessions',
    'Look at sessions and operate on them. Alone: list them.',
    'coppice sessions ls',
    list,
  );
  command(
    sessions,
    'ls',
    'List the sessions, latest activity first.',
    'coppice sessions ls --search telegram',
  )
    .option('--search <text>', 'only those whose key contains this')
    .action((_options: object, self: Command) => list(self.optsWithGlobals()));
  command(sessions, 'show', 'Show the transcript of a session.', 'coppice sessions show agent:main:main')
    .argument('<key>', 'the session')
    .action(async (key: string, _options: object, self: Command) =>
      done(await (await load()).show(io, key, self.optsWithGlobals())),
    );
  const operations = [
    ['abort', 'End the running turn of a session, and forget what waits behind it.'],
    ['reset', 'Begin a session anew; its old transcript is kept aside.'],
    ['delete', 'Delete a session with its transcript.'],
  ] as const;
  for (const [name, description] of operations)
    command(sessions, name, description, `coppice sessions ${name} agent:main:main`)
      .argument('<key>', 'the session')
      .action(async (key: string, _options: object, self: Command) =>
        done(await (await load())[`${name}Session`](io, key, self.optsWithGlobals())),
      );
}

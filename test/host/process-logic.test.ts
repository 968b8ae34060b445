import { createActor, setup } from 'xstate';
import { expect, it } from 'vitest';
import { processLogic, type ProcessEvent } from '../../src/host/index.ts';
import { createScope } from '../../src/supervisor/index.ts';
import { eventually, runs } from './stand.ts';

it('the pid of a process stands in the snapshot of its actor, for whoever looks', async () => {
  const scope = createScope((error) => expect.fail(String(error)));
  const actor = createActor(processLogic({ command: 'cat' }), {
    input: { path: 'cat', incarnation: 1, scope },
  }).start();
  await eventually(() => actor.getSnapshot().context['pid'] !== undefined);
  const pid = Number(actor.getSnapshot().context['pid']);
  expect(runs(pid)).toBe(true);
  actor.stop();
  await scope.close();
  expect(runs(pid)).toBe(false);
});

it('arguments that no process can have fail the start at once', () => {
  const scope = createScope((error) => expect.fail(String(error)));
  const actor = createActor(processLogic({ command: 'sh', args: ['\0'] }), {
    input: { path: 'x', incarnation: 1, scope },
  });
  const errors: { code?: string }[] = [];
  actor.subscribe({ error: (error) => void errors.push(error as { code?: string }) });
  actor.start();
  expect(errors.map(({ code }) => code)).toEqual(['CHILD_PROCESS_SPAWN_FAILED']);
});

it('a machine may invoke a process, and hears of its end with its code when nothing of it is left', async () => {
  const scope = createScope((error) => expect.fail(String(error)));
  const lines: string[] = [];
  const machine = setup({
    types: { events: {} as ProcessEvent },
    actors: {
      job: processLogic({ command: 'sh', args: ['-c', '(trap "" TERM; sleep 1000) & echo "$!"; exit 0'] }),
    },
    actions: {
      note: ({ event }) => void (event.type === 'process.printed' && lines.push(event.line)),
      end: (_, output: unknown) => void lines.push(JSON.stringify(output)),
    },
  }).createMachine({
    initial: 'working',
    on: { 'process.printed': { actions: 'note' } },
    states: {
      working: {
        invoke: {
          src: 'job',
          input: ({ self }) => ({
            path: 'job',
            incarnation: 1,
            scope,
            onEvent: (event: ProcessEvent) => self.send(event),
          }),
          onDone: {
            target: 'done',
            actions: { type: 'end', params: ({ event }: { event: { output: unknown } }) => event.output },
          },
          onError: 'failed',
        },
      },
      done: { type: 'final' },
      failed: {},
    },
  });
  const actor = createActor(machine).start();
  await eventually(() => actor.getSnapshot().value !== 'working');
  expect([lines[1], runs(Number(lines[0]))]).toEqual(['{"exit":"normal","code":0,"signal":null}', false]);
  await scope.close();
});

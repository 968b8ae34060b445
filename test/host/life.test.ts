import { createActor } from 'xstate';
import { expect, it } from 'vitest';
import { CoppiceError } from '../../src/errors.ts';
import { lifeLogic, type Ending, type Life } from '../../src/host/life.ts';
import { createScope } from '../../src/supervisor/index.ts';

/** Lives that a kill does not end: real ones hang in the kernel, which no test can ask for. */
function undying() {
  const fault = new CoppiceError('KILL_UNVERIFIED', { what: 'it', waitMs: 1 });
  const lives: { present: boolean }[] = [];
  const logic = lifeLogic((): Life<{ type: 'none' }> => {
    const state = { present: true };
    lives.push(state);
    return {
      ended: new Promise<Ending>(() => {}),
      take() {},
      stop() {},
      kill: async () => fault,
      present: () => state.present,
    };
  });
  /** Starts one and ends it, as its supervisor does. Answers with what the start and the end failed with. */
  const live = async (path: string): Promise<(string | undefined)[]> => {
    const faults: unknown[] = [];
    const scope = createScope((error) => void faults.push(error));
    const actor = createActor(logic, { input: { path, incarnation: 1, scope } });
    actor.subscribe({ error: (error) => void faults.push(error) });
    actor.start();
    actor.stop();
    await scope.close();
    return faults.map((error) => (error as CoppiceError).code);
  };
  return { lives, live };
}

it('no second life starts beside one that could not be killed, until that one is gone', async () => {
  const { lives, live } = undying();
  expect(await live('app/one')).toEqual(['KILL_UNVERIFIED']);
  expect(await live('app/one')).toEqual(['KILL_UNVERIFIED']);
  expect(lives).toHaveLength(1);
  expect(await live('app/two')).toEqual(['KILL_UNVERIFIED']);
  expect(lives).toHaveLength(2);
  lives[0]!.present = false;
  await live('app/one');
  expect(lives).toHaveLength(3);
});

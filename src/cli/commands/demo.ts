import { CoppiceError } from '../../errors.ts';
import { perform } from '../demo/performance.ts';
import { createStage } from '../demo/stage.ts';
import { EXIT } from '../exit-codes.ts';
import { type Io, writeJson } from '../io.ts';
import { startOwnGateway } from '../own-gateway.ts';
import type { CommonOptions } from '../options.ts';
import { onStopSignals } from '../stop-signals.ts';

export interface DemoOptions extends CommonOptions {
  readonly fast?: boolean;
}

/**
 * `coppice demo`: a real gateway under its launcher, in a state directory of its own, is talked to, hurt and watched.
 * Ends with 1 (EVIDENCE_MISSING) when the record afterwards does not show what was promised.
 */
export async function demo(io: Io, options: DemoOptions): Promise<number> {
  refusePlaces(options);
  const startedMs = performance.now();
  const ended = new AbortController();
  const stop = onStopSignals(() => ended.abort());
  const stage = createStage(io, { silent: options.json === true, pauses: !options.fast && !options.json });
  stage.say('Starting a gateway of its own: a launcher, and the process it watches.');
  try {
    const gateway = await startOwnGateway(io, { launcher: true });
    try {
      const evidence = await perform(io, gateway, stage, {
        quick: options.fast === true,
        signal: ended.signal,
      });
      const missing = evidence.checks.filter((check) => !check.ok);
      const tookMs = Math.round(performance.now() - startedMs);
      if (options.json) writeJson(io.stdout, { ok: missing.length === 0, tookMs, ...evidence });
      if (missing.length === 0) return EXIT.ok;
      throw new CoppiceError('EVIDENCE_MISSING', { missing: missing.map(({ name }) => name).join('; ') });
    } catch (error) {
      if (!ended.signal.aborted) throw error;
      io.stderr.write('the demonstration was ended\n');
      return EXIT.error;
    } finally {
      stage.note('Cleaning up.');
      await gateway.close();
    }
  } finally {
    stop();
  }
}

function refusePlaces({ url, token, stateDir }: DemoOptions): void {
  if (url ?? token ?? stateDir)
    throw new CoppiceError('USAGE', {
      reason:
        'the demonstration starts a gateway of its own and touches no other: leave out --url, --token and --state-dir',
    });
}

import type { NormalError } from '../errors.ts';
import { EXIT } from './exit-codes.ts';
import type { FaultTrap } from './fault-budget.ts';
import type { SignalRequests } from './stop-signals.ts';

/** What the process needs of a gateway handle to run it. */
export interface Runnable {
  start(): Promise<void>;
  stop(reason: string, options?: { fast?: boolean }): Promise<{ readonly clean: boolean }>;
  requestStop(reason: string): void;
  requestRestart(reason: string): void;
  readonly ended: Promise<{ readonly code: 0 | 70 | 75; readonly reason: string }>;
}

export interface ControlOptions {
  /** One line for the operator. */
  readonly say: (line: string) => void;
  /** A graceful stop that nobody else bounds (the launcher is gone) ends the process after this long. */
  readonly stopMs: number;
  /** SIGHUP. */
  readonly reload: () => void;
  /** May SIGUSR1 and SIGUSR2 ask for a restart? */
  readonly allowSignal: () => boolean;
  /** Ends the process when a stop overruns. */
  readonly exit: (code: number) => void;
}

const FAST_STOP_MS = 5_000;

/**
 * Between the process and the gateway in it: turns signals, stray errors and the loss of the launcher into requests.
 * What is asked before the gateway has started is asked of it as soon as it has.
 */
export class GatewayControl implements SignalRequests, FaultTrap {
  readonly #options: ControlOptions;
  #gateway: Runnable | undefined;
  #waiting: ((gateway: Runnable) => void) | undefined;
  #faulted = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** Starts the gateway and waits until it has ended. Resolves with the exit code; rejects when it cannot start. */
  async run(gateway: Runnable, onStarted: () => void): Promise<number> {
    try {
      await gateway.start();
    } catch (error) {
      await gateway.stop('it could not start', { fast: true });
      throw error;
    }
    this.#gateway = gateway;
    onStarted();
    this.#waiting?.(gateway);
    const { code, reason } = await gateway.ended;
    clearTimeout(this.#deadline);
    if (code !== EXIT.ok) this.#options.say(`the gateway ended with ${code}: ${reason}`);
    return this.#faulted ? EXIT.fault : code;
  }

  stop(reason: string): void {
    this.#ask((gateway) => gateway.requestStop(reason));
  }

  /** By signal. */
  restart(reason: string): void {
    if (this.#options.allowSignal()) this.requestRestart(reason);
    else this.#options.say(`${reason} is ignored: restart.allowSignal is false`);
  }

  /** A stop that waits already is stronger. */
  requestRestart(reason: string): void {
    if (!this.#waiting) this.#ask((gateway) => gateway.requestRestart(reason));
  }

  reload(): void {
    this.#options.reload();
  }

  fastStop(reason: string): void {
    this.#exitAfter(FAST_STOP_MS, 'the fast stop');
    const gateway = this.#gateway;
    if (!gateway) return this.#options.exit(EXIT.ok);
    gateway.stop(reason, { fast: true }).catch((error: unknown) => {
      this.#options.say(`the fast stop failed: ${String(error)}`);
      this.#options.exit(EXIT.fault);
    });
  }

  /** The launcher is gone: nobody would restart, watch or kill this process any more. */
  orphaned(): void {
    this.#options.say('the launcher is gone; the gateway stops');
    this.#exitAfter(this.#options.stopMs, 'the stop');
    this.stop('its launcher is gone');
  }

  report(error: NormalError, source: string, owner: string | undefined): void {
    const where = owner ? `it came from ${owner}, which fails` : 'it has no owner';
    this.#options.say(`${source}: ${error.name}: ${error.message} (${where}) ${frame(error.stack)}`);
  }

  spent(count: number): void {
    this.#faulted = true;
    this.#options.say(
      `${count} errors within a minute had no owner; the process cannot be trusted and stops. COPPICE_FAULT_BUDGET_SPENT`,
    );
    if (this.#gateway) this.fastStop('too many errors without an owner');
    else this.#options.exit(EXIT.fault);
  }

  #ask(request: (gateway: Runnable) => void): void {
    if (this.#gateway) request(this.#gateway);
    else this.#waiting = request;
  }

  #exitAfter(limitMs: number, what: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      this.#options.say(`${what} was not over within ${limitMs} ms; the process ends now`);
      this.#options.exit(EXIT.fault);
    }, limitMs);
    this.#deadline.unref();
  }
}

/** The first frame of a stack, so that one line says where. */
function frame(stack: string | undefined): string {
  return (
    stack
      ?.split('\n')
      .find((line) => /^\s+at /.test(line))
      ?.trim() ?? ''
  );
}

/** Turns over a fixed set of places. A place is a session on a connection, with one turn at a time. */
import type { Events, Line } from './line.ts';

/** So that histories stay short: a turn costs what its prompt costs. */
const TURNS_PER_SESSION = 20;

interface Place {
  readonly line: Line;
  readonly name: string;
  turns: number;
}

interface Turn {
  readonly place: Place;
  readonly dueMs: number;
}

export interface Recorded {
  readonly dueMs: number;
  readonly atMs: number;
}

/** Times of `performance.now()`. */
export class Traffic implements Events {
  readonly accepts: Recorded[] = [];
  readonly ends: Recorded[] = [];
  readonly fault = Promise.withResolvers<never>();
  onEnd: () => void = () => {};
  readonly #name: string;
  readonly #idle: Place[] = [];
  readonly #due: number[] = [];
  readonly #open = new Map<string, Turn>();
  #count = 0;

  /** `name` keeps its sessions and runs apart from those of other measurements. */
  constructor(name: string) {
    this.#name = name;
    // Nobody may be waiting when it fails.
    this.fault.promise.catch((error: unknown) => error);
  }

  add(line: Line): void {
    this.#idle.push({ line, name: `${this.#name}-${this.#idle.length}`, turns: 0 });
  }

  /** A turn that is due at `dueMs`; it waits while every place is taken. */
  offer(dueMs: number): void {
    this.#due.push(dueMs);
    this.#begin();
  }

  /** Offered, and not ended yet. */
  get unfinished(): number {
    return this.#open.size + this.#due.length;
  }

  accepted(runId: string): void {
    const turn = this.#open.get(runId);
    if (turn) this.accepts.push({ dueMs: turn.dueMs, atMs: performance.now() });
  }

  ended(runId: string): void {
    const turn = this.#open.get(runId);
    if (!turn) return;
    this.#open.delete(runId);
    this.ends.push({ dueMs: turn.dueMs, atMs: performance.now() });
    this.#idle.push(turn.place);
    this.onEnd();
    this.#begin();
  }

  failed(reason: string): void {
    this.fault.reject(new Error(reason));
  }

  #begin(): void {
    while (this.#due.length > 0 && this.#idle.length > 0) {
      const place = this.#idle.shift()!;
      const runId = `${this.#name}-${(this.#count += 1)}`;
      this.#open.set(runId, { place, dueMs: this.#due.shift()! });
      const session = Math.floor(place.turns / TURNS_PER_SESSION);
      place.turns += 1;
      place.line.say(`${place.name}-${session}`, runId);
    }
  }
}

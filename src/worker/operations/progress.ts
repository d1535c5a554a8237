/** Tells the main thread how far an operation is, and learns from it whether to stop. */
import { ALLOWED, type OperationReply, RUNNING, STOPPED } from '../../protocol/operation-messages.ts';
import type { SDS_OperationProgress } from '../../protocol/operations.ts';
import { performance } from '../../protocol/surroundings.ts';
import { Stopped } from './failure.ts';
import type { Throttle } from './throttle.ts';

/** Longer than a caller's event loop is ever held up by anything reasonable. */
const ANSWER_MS = 5000;
/** As often as a person can follow; each costs the main thread a message. */
const EVERY_MS = 100;

export class Progress {
  readonly #cell: Int32Array;
  readonly #throttle: Throttle;
  readonly #send: (reply: OperationReply) => void;
  /** Whether programs wait for the end of the work: then it does not pause. */
  holdsUpOthers = false;
  #phase: string | undefined;
  #toldAt = 0;

  constructor(cell: SharedArrayBuffer, throttle: Throttle, send: (reply: OperationReply) => void) {
    this.#cell = new Int32Array(cell);
    this.#throttle = throttle;
    this.#send = send;
  }

  get isStopped(): boolean {
    return Atomics.load(this.#cell, 0) === STOPPED;
  }

  /** Called between two steps of the work; throws `Stopped` if there shall be no other. */
  step(
    Phase: SDS_OperationProgress['Phase'],
    Done: number,
    Total: number,
    Unit: 'bytes' | 'rows',
    more?: Pick<SDS_OperationProgress, 'Stores' | 'StoresInAll'>,
  ): void {
    if (this.isStopped) throw new Stopped();
    if (!this.holdsUpOthers) this.#throttle.pause();
    const now = performance.now();
    if (Phase === this.#phase && (Done < Total || Total === 0) && now - this.#toldAt < EVERY_MS) return;
    this.#phase = Phase;
    this.#toldAt = now;
    this.#send({ kind: 'progress', progress: { Phase, Done: Math.min(Done, Total), Total, Unit, ...more } });
  }

  /**
   * Before a result appears, after which nothing stops it: throws `Stopped` if it shall not. The main thread answers once its
   * caller has heard of all progress, and so may have stopped it because of that.
   */
  lastChance(): void {
    this.#send({ kind: 'ready' });
    Atomics.wait(this.#cell, 0, RUNNING, ANSWER_MS);
    // it may be blocked, by a call that waits for what this work holds up: its own loss
    if (Atomics.compareExchange(this.#cell, 0, RUNNING, ALLOWED) === STOPPED) throw new Stopped();
  }
}

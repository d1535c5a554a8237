/** Tells the main thread how far an operation is, and learns from it whether to stop. */
import { type Gauge, HEARD, type LookWay, STOP } from '../../protocol/operation-messages.ts';
import type { SDS_OperationProgress } from '../../protocol/operations.ts';
import { performance } from '../../protocol/surroundings.ts';
import { Stopped } from './failure.ts';
import type { Throttle } from './throttle.ts';

/** Longer than a caller's event loop is ever held up by anything reasonable. */
const HEARD_MS = 5000;
/** As often as a person can follow; each costs the main thread a message. */
const EVERY_MS = 100;

export class Progress {
  readonly cells: Int32Array;
  readonly #room: Throttle;
  readonly #tell: (progress: SDS_OperationProgress, gauge?: Gauge) => void;
  /** Told once a file is open, and how. */
  readonly opened: (way: LookWay) => void;
  /** Whether programs wait for the end of the work: then it does not pause. */
  holdsUpOthers = false;
  #told = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(
    cells: SharedArrayBuffer,
    room: Throttle,
    tell: (progress: SDS_OperationProgress, gauge?: Gauge) => void,
    opened: (way: LookWay) => void,
  ) {
    this.cells = new Int32Array(cells);
    this.#room = room;
    this.#tell = tell;
    this.opened = opened;
  }

  /** Called between two steps of the work; throws `Stopped` if there shall be no other. */
  step(
    Phase: SDS_OperationProgress['Phase'],
    Done: number,
    Total: number,
    Unit: 'bytes' | 'rows',
    more?: Pick<SDS_OperationProgress, 'Stores' | 'StoresInAll'>,
  ): void {
    this.#goesOn();
    if (!this.holdsUpOthers) this.#room.pause();
    const now = performance.now();
    if (Done < Total && now - this.#toldAt < EVERY_MS) return;
    this.#toldAt = now;
    this.#told++;
    this.#tell({ Phase, Done: Math.min(Done, Total), Total, Unit, ...more });
  }

  /** Before a native call that can't say how far it is: the main thread looks at the gauge meanwhile. */
  native(Phase: SDS_OperationProgress['Phase'], Total: number, gauge: Gauge): void {
    this.#goesOn();
    this.#told++;
    this.#tell({ Phase, Done: 0, Total, Unit: 'bytes' }, gauge);
  }

  /** Before the next operation of this thread. */
  begin(): void {
    this.holdsUpOthers = false;
    this.#told = 0;
    this.#toldAt = Number.NEGATIVE_INFINITY;
  }

  /** Before a result appears: a caller that stops the work when it hears of its progress has heard of all. */
  lastChance(): void {
    const until = performance.now() + HEARD_MS;
    for (let heard = Atomics.load(this.cells, HEARD); heard < this.#told; heard = Atomics.load(this.cells, HEARD)) {
      const left = until - performance.now();
      if (left <= 0) break; // it is blocked: its own loss
      Atomics.wait(this.cells, HEARD, heard, left);
    }
    this.#goesOn();
  }

  #goesOn(): void {
    if (Atomics.load(this.cells, STOP) !== 0) throw new Stopped();
  }
}

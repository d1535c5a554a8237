/**
 * Saves of values that failed, as both sides know them: a release that was called before the program could know of that takes
 * no reference, because it would be another entry's. Each release is that of one save.
 */
import { reached } from './control.ts';
import { Fifo } from './fifo.ts';

/** Those of a value in one batch, as they cross. */
export interface FailedSave<F> {
  key: string;
  failure: F;
  /** Of which the program hears; `undefined` if its promise had resolved, so that the program goes on believing it. */
  batch: number | undefined;
  times: number;
}

/** Whether a call was made before the program could know what had failed in that batch: it had heard of those up to another one. */
export function isUnheard(batch: number | undefined, heard: number): boolean {
  return batch === undefined || !reached(heard, batch);
}

type ByKey<F> = Map<string, FailedSave<F>[]>;

export class FailedSaves<F> {
  readonly #believed: ByKey<F> = new Map();
  /** Of the others those that matter to what may still come, of each value in the order of their batches. */
  readonly #rejected: ByKey<F> = new Map();
  /** All of those in that order; and some that are released. */
  readonly #inOrder = new Fifo<FailedSave<F>>();

  constructor(known: Iterable<FailedSave<F>> = []) {
    for (const save of known) this.#put(save);
  }

  /** @param heard - what is called later was called by a program that knows at least as much */
  add(save: Omit<FailedSave<F>, 'times'>, heard: number): void {
    this.forgetHeard(heard);
    this.#put({ ...save, times: 1 });
  }

  #put(save: FailedSave<F>): void {
    const { key, batch } = save;
    const byKey = batch === undefined ? this.#believed : this.#rejected;
    const saves = byKey.get(key) ?? [];
    const last = saves.at(-1);
    if (last !== undefined && last.batch === batch) {
      last.times += save.times;
      return;
    }
    saves.push(save);
    byKey.set(key, saves);
    if (batch !== undefined) this.#inOrder.push(save);
  }

  /** Why a release takes no reference, if so. */
  before(key: string, heard: number): F | undefined {
    this.forgetHeard(heard);
    return (this.#believed.get(key) ?? this.#rejected.get(key))?.[0]?.failure;
  }

  /** The release of the first one has failed: that reference is done with. */
  released(key: string): void {
    const byKey = this.#believed.has(key) ? this.#believed : this.#rejected;
    const [first] = byKey.get(key) ?? [];
    if (first !== undefined && --first.times === 0) shift(byKey, key);
  }

  /** What is still to be judged was called by a program that knew of so much. */
  forgetHeard(heard: number): void {
    for (;;) {
      const { first } = this.#inOrder;
      if (first === undefined || isUnheard(first.batch, heard)) return;
      this.#inOrder.shift();
      if (first.times > 0) shift(this.#rejected, first.key);
    }
  }

  *[Symbol.iterator](): Generator<FailedSave<F>> {
    for (const saves of this.#believed.values()) yield* saves;
    for (const save of this.#inOrder) if (save.times > 0) yield save;
  }
}

function shift<F>(byKey: ByKey<F>, key: string): void {
  const saves = byKey.get(key);
  saves?.shift();
  if (saves?.length === 0) byKey.delete(key);
}

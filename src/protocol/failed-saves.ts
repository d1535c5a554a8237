/**
 * Saves of values that failed, as both sides know them: a release that was called before the program could know of that takes
 * no reference, since it would be another entry's. Each release is that of one save.
 */
import { reached } from './control.ts';

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
  /** Of the others those that matter to what may still come, of each value in the order of their batches; and some more. */
  readonly #rejected: ByKey<F> = new Map();
  /** The last batch of those. */
  #lastRejected: number | undefined;
  /** Calls since those were forgotten that do not; and how many values were left. */
  #calls = 0;
  #kept = 0;

  constructor(known: Iterable<FailedSave<F>> = []) {
    for (const save of known) this.#put(save);
  }

  /** @param heard - what is called later was called by a program that knows at least as much */
  add(save: Omit<FailedSave<F>, 'times'>, heard: number): void {
    this.#forgetSome(save.key, heard);
    this.#put({ ...save, times: 1 });
  }

  #put(save: FailedSave<F>): void {
    const { key, batch } = save;
    const byKey = batch === undefined ? this.#believed : this.#rejected;
    const saves = byKey.get(key) ?? [];
    const last = saves.at(-1);
    if (last !== undefined && last.batch === batch) last.times += save.times;
    else saves.push(save);
    byKey.set(key, saves);
    if (batch === undefined) return;
    const before = this.#lastRejected;
    if (before === undefined || isUnheard(batch, before)) this.#lastRejected = batch;
  }

  /** Why a release takes no reference, if so. */
  before(key: string, heard: number): F | undefined {
    this.#forgetSome(key, heard);
    return (this.#believed.get(key) ?? this.#rejected.get(key))?.[0]?.failure;
  }

  /** The release of the first one has failed: that reference is done with. */
  released(key: string): void {
    const byKey = this.#believed.has(key) ? this.#believed : this.#rejected;
    const [first] = byKey.get(key) ?? [];
    if (first !== undefined && --first.times === 0) shift(byKey, key);
  }

  /** Those of this value at once, of all others so rarely that it costs each call no more than its own part. */
  #forgetSome(key: string, heard: number): void {
    this.#forget(key, heard);
    if (++this.#calls <= this.#kept) return;
    for (const other of this.#rejected.keys()) this.#forget(other, heard);
    this.#calls = 0;
    this.#kept = this.#rejected.size;
  }

  /** What is still to be judged was called by a program that knew of so much: if that is all that has rejected, it is let go of at once. */
  forgetHeard(heard: number): void {
    if (isUnheard(this.#lastRejected, heard)) return;
    this.#rejected.clear();
    this.#lastRejected = undefined;
    this.#calls = this.#kept = 0;
  }

  #forget(key: string, heard: number): void {
    for (;;) {
      const [first] = this.#rejected.get(key) ?? [];
      if (first === undefined || isUnheard(first.batch, heard)) return;
      shift(this.#rejected, key);
    }
  }

  *[Symbol.iterator](): Generator<FailedSave<F>> {
    for (const byKey of [this.#believed, this.#rejected]) for (const saves of byKey.values()) yield* saves;
  }
}

function shift<F>(byKey: ByKey<F>, key: string): void {
  const saves = byKey.get(key);
  saves?.shift();
  if (saves?.length === 0) byKey.delete(key);
}

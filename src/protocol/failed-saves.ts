/**
 * Saves of values that failed, as both sides know them: a release that was called before the program could know of that takes
 * no reference, since it would be another entry's. Each release is that of one save.
 */
import { reached } from './control.ts';

/** One of them, as it crosses. */
export interface FailedSave<F> {
  key: string;
  failure: F;
  /** Of which the program hears; `undefined` if its promise had resolved, so that the program goes on believing it. */
  batch: number | undefined;
}

/** Whether a call was made before the program could know what had failed in that batch: it had heard of those up to another one. */
export function isUnheard(batch: number | undefined, heard: number): boolean {
  return batch === undefined || !reached(heard, batch);
}

export class FailedSaves<F> {
  readonly #believed = new Map<string, F[]>();
  /** Of the others those that matter to what may still come, in the order of their batches. */
  readonly #rejected: FailedSave<F>[] = [];

  constructor(known: Iterable<FailedSave<F>> = []) {
    for (const save of known) this.#put(save);
  }

  /** @param heard - of the call that has failed, if its promise had not resolved */
  add(save: FailedSave<F>, heard?: number): void {
    if (heard !== undefined) this.#forget(heard);
    this.#put(save);
  }

  #put({ key, failure, batch }: FailedSave<F>): void {
    if (batch !== undefined) this.#rejected.push({ key, failure, batch });
    else this.#believed.set(key, [...(this.#believed.get(key) ?? []), failure]);
  }

  /** Why a release takes no reference, if so. */
  before(key: string, heard: number): F | undefined {
    this.#forget(heard);
    return this.#believed.get(key)?.[0] ?? this.#rejected.find((save) => save.key === key)?.failure;
  }

  /** The release of the first one has failed: that reference is done with. */
  released(key: string): void {
    const believed = this.#believed.get(key);
    const at = this.#rejected.findIndex((save) => save.key === key);
    if (believed === undefined) this.#rejected.splice(at, at < 0 ? 0 : 1);
    else if (believed.shift() !== undefined && believed.length === 0) this.#believed.delete(key);
  }

  /** What is called later was called by a program that knows at least as much. */
  #forget(heard: number): void {
    while (this.#rejected[0] !== undefined && !isUnheard(this.#rejected[0].batch, heard)) this.#rejected.shift();
  }

  *[Symbol.iterator](): Generator<FailedSave<F>> {
    for (const [key, failures] of this.#believed)
      for (const failure of failures) yield { key, failure, batch: undefined };
    yield* this.#rejected;
  }
}

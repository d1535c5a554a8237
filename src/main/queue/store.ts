/**
 * One store of a file, as all its providers in this process see it: what is said of one of them may concern the others.
 *
 * **What a prune leaves alone.** A patch that was called while a snapshot was on its way (called, its promise not
 * settled) is in none, unless a later one has at least its number; so no prune deletes it until such a snapshot is
 * stored. A program that reads its counter once more after `await saveSnapshot(…)` would prune what it appended
 * meanwhile. Snapshots of number 0 say nothing of patches, and promises that resolve at the call leave no meanwhile.
 */

/** A provider, as far as others of its store are concerned. */
export interface Neighbour {
  /** Whether another one has appended to the store while this one was open. */
  hasCompany: boolean;
}

export class Store {
  readonly #members = new Set<Neighbour>();
  /** Snapshots on their way, with a number and a caller that waits for them. */
  #onTheirWay = 0;
  /** Patches called meanwhile, from the lowest number to the highest. */
  #lowest = Number.POSITIVE_INFINITY;
  #highest = Number.NEGATIVE_INFINITY;

  join(member: Neighbour): void {
    this.#members.add(member);
  }

  leave(member: Neighbour): void {
    this.#members.delete(member);
  }

  get isDeserted(): boolean {
    return this.#members.size === 0;
  }

  /** Told of each patch that is appended. */
  appended(member: Neighbour, clock: number): void {
    if (this.#onTheirWay > 0) {
      this.#lowest = Math.min(this.#lowest, clock);
      this.#highest = Math.max(this.#highest, clock);
    }
    if (this.#members.size > 1) for (const other of this.#members) if (other !== member) other.hasCompany = true;
  }

  snapshotCalled(): void {
    this.#onTheirWay++;
  }

  snapshotEnded(clock: number, isStored: boolean): void {
    this.#onTheirWay--;
    if (!isStored || clock < this.#lowest) return;
    if (clock < this.#highest) {
      this.#lowest = clock + 1;
      return;
    }
    this.#lowest = Number.POSITIVE_INFINITY;
    this.#highest = Number.NEGATIVE_INFINITY;
  }

  /** The patches below which number a prune may delete. */
  pruneLimit(beforeClock: number): number {
    return Math.min(beforeClock, this.#lowest);
  }
}

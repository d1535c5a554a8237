/** Carries out a transaction: all in one round trip, unless it has to be known what is there, or something large is sent by itself. */
import type { Section } from './changes.ts';
import { deleteUnnamed, deletionOfUnnamed, type HeadTable, isLarge, isSlice } from './chunks.ts';
import { compact } from './compaction.ts';
import type { Connection, Result, Statement } from './connection.ts';
import type { PackedPatches, Positions } from './packed-patches.ts';
import { collidedIn, collidedOf, collisions, insertCarefully, insertion, pruning } from './patches.ts';
import { type Snapshot, snapshotHead } from './snapshots.ts';
import { saveLargeValue, type ValueChanges } from './values.ts';
import { removalOfStores } from './whole-stores.ts';

export class StepByStep {
  /** By which the calls are told apart that are to be marked. */
  readonly collided: number[] = [];
  /** Stores that have chunks of snapshots that were replaced: to be deleted once all this is committed. */
  readonly replaced: string[] = [];
  readonly #connection: Connection;
  /** To be sent with what comes next. */
  #statements: Statement[];
  /** Those of them that insert patches: where they are, how many they are to insert, and what of that is looked at if they do not. */
  #insertions: { packed: PackedPatches; positions: Positions; wanted: number; at: number }[] = [];
  /** Those of them that look at patches before something is deleted. */
  #looks: { packed: PackedPatches; positions: number[]; at: number }[] = [];
  #slices: { store: string; at: number }[] = [];

  constructor(connection: Connection, begin: Statement[]) {
    this.#connection = connection;
    this.#statements = begin;
  }

  async carryOut({ patches, snapshots, records, end }: Section): Promise<void> {
    for (const step of patches) {
      if (step instanceof Map) {
        this.#lookAt((store, clock) => clock < (step.get(store) ?? Number.NEGATIVE_INFINITY));
        this.#statements.push(...pruning(step));
      } else if (step.keepers.size === 0) {
        this.#insert(step);
      } else {
        await this.#send();
        this.#mark(step, await insertCarefully(this.#connection, step));
      }
    }
    for (const [store, snapshot] of snapshots) {
      if (isLarge(snapshot.data)) await this.#send();
      this.#statements.push(await snapshotHead(this.#connection, store, snapshot));
      this.#deleteOthers(store, snapshot);
    }
    this.#statements.push(...records.statements);
    if (end === undefined) return;
    if ('removed' in end) {
      const { removed } = end;
      this.#lookAt((store) => store === removed);
      this.#statements.push(...removalOfStores([removed]));
      await this.#deleteAll('sds_snapshots', [removed]);
      return;
    }
    await this.#send();
    if (await compact(this.#connection, end)) this.#deleteOthers(end.store, end.snapshot);
    else this.collided.push(end.at);
  }

  #insert(packed: PackedPatches): void {
    const { positions, collided } = packed.firstOnes();
    this.#mark(packed, collided);
    const wanted = positions === 'all' ? packed.count : positions.length;
    this.#insertions.push({ packed, positions, wanted, at: this.#statements.length });
    this.#statements.push(insertion(packed, positions));
  }

  /** Whether patches have met others is seen by those, which are about to be deleted. */
  #lookAt(isDeleted: (store: string, clock: number) => boolean): void {
    for (const inserted of this.#insertions) {
      const { packed, positions } = inserted;
      const gone: number[] = [];
      const rest: number[] = [];
      for (const position of positions === 'all' ? packed.clocks.keys() : positions) {
        (isDeleted(packed.storeAt(position), packed.clocks[position] ?? 0) ? gone : rest).push(position);
      }
      if (gone.length === 0) continue;
      inserted.positions = rest;
      this.#looks.push({ packed, positions: gone, at: this.#statements.length });
      this.#statements.push(collisions(packed, gone));
    }
  }

  #mark(packed: PackedPatches, collided: readonly number[]): void {
    this.collided.push(...collided.map((position) => packed.entries[position] ?? 0));
  }

  /** What a large one replaces is deleted later, and so is the rest of what a small one does. */
  #deleteOthers(store: string, { data }: Snapshot): void {
    if (isLarge(data)) {
      this.replaced.push(store);
      return;
    }
    this.#slices.push({ store, at: this.#statements.length });
    this.#statements.push(deletionOfUnnamed('sds_snapshots', [store]));
  }

  async changeValues({ statements, released }: ValueChanges): Promise<void> {
    this.#statements.push(...statements);
    if (released.length > 0) await this.#deleteAll('sds_values', released);
  }

  /** Chunks of what is gone with its head: no later call would find them, if this process ended behind the commit. */
  async #deleteAll(heads: HeadTable, keys: readonly string[]): Promise<void> {
    this.#statements.push(deletionOfUnnamed(heads, keys));
    const results = await this.#send();
    if (isSlice(results.at(-1))) await deleteUnnamed(this.#connection, heads, keys);
  }

  async saveValue({ hash, data }: { hash: string; data: Buffer }): Promise<void> {
    await this.#send();
    await saveLargeValue(this.#connection, hash, data);
  }

  /** @param committed - called as soon as that is known: what comes after it may fail */
  async end(last: readonly Statement[], committed: () => void): Promise<void> {
    this.#statements.push(...last);
    await this.#send(committed);
  }

  async #send(sent?: () => void): Promise<Result[]> {
    const [statements, insertions, looks, slices] = [this.#statements, this.#insertions, this.#looks, this.#slices];
    [this.#statements, this.#insertions, this.#looks, this.#slices] = [[], [], [], []];
    if (statements.length === 0) return [];
    const results = await this.#connection.run(...statements);
    sent?.();
    for (const { store, at } of slices) if (isSlice(results[at])) this.replaced.push(store);
    for (const { packed, positions, at } of looks) this.#mark(packed, collidedIn(results[at], positions));
    for (const { packed, positions, wanted, at } of insertions) {
      if (results[at]?.count === wanted || positions.length === 0) continue;
      this.#mark(packed, await collidedOf(this.#connection, packed, positions));
    }
    return results;
  }
}

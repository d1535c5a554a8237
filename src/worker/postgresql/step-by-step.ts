/**
 * Carries out a transaction: all in one round trip, unless it has to be known what is there, or something large is sent by itself.
 */
import type { Section } from './changes.ts';
import { isLarge } from './chunks.ts';
import { compact } from './compaction.ts';
import type { Connection, Statement } from './connection.ts';
import type { PackedPatches, Positions } from './packed-patches.ts';
import { CarefulInsertion, collidedOf, insertion, pruning } from './patches.ts';
import { deletionOfOthers, type Snapshot, snapshotHead } from './snapshots.ts';
import { saveLargeValue } from './values.ts';
import { removalOfStore } from './whole-stores.ts';

export class StepByStep {
  /** By which the calls are told apart that are to be marked. */
  readonly collided: number[] = [];
  readonly #connection: Connection;
  readonly #replaced: ReadonlySet<string>;
  readonly #careful: CarefulInsertion;
  /** To be sent with what comes next. */
  #statements: Statement[];
  /** Those of them that insert patches, and where they are. */
  #insertions: { packed: PackedPatches; positions: Positions; at: number }[] = [];

  /**
   * @param replaced - stores with chunks of snapshots that were to be deleted after the last one of them
   * @param begin - what begins the transaction
   */
  constructor(connection: Connection, replaced: ReadonlySet<string>, begin: Statement[]) {
    this.#connection = connection;
    this.#replaced = replaced;
    this.#careful = new CarefulInsertion(connection);
    this.#statements = begin;
  }

  async carryOut({ patches, snapshots, records, end }: Section): Promise<void> {
    for (const step of patches) {
      if (step instanceof Map) {
        this.#careful.forget();
        this.#statements.push(...pruning(step));
      } else if (step.keepers.size === 0) {
        this.#careful.forget();
        this.#insert(step);
      } else {
        await this.#send();
        this.#mark(step, await this.#careful.insert(step));
      }
    }
    for (const [store, snapshot] of snapshots) await this.#saveSnapshot(store, snapshot);
    this.#statements.push(...records.statements);
    if (end === undefined) return;
    this.#careful.forget();
    if ('removed' in end) {
      this.#statements.push(...removalOfStore(end.removed));
      return;
    }
    await this.#send();
    if (await compact(this.#connection, end)) this.#deleteOthers(end.store, end.snapshot);
    else this.collided.push(end.at);
  }

  #insert(packed: PackedPatches): void {
    const { positions, collided } = packed.firstOnes();
    this.#mark(packed, collided);
    this.#insertions.push({ packed, positions, at: this.#statements.length });
    this.#statements.push(insertion(packed, positions));
  }

  #mark(packed: PackedPatches, collided: readonly number[]): void {
    this.collided.push(...collided.map((position) => packed.entries[position] ?? 0));
  }

  async #saveSnapshot(store: string, snapshot: Snapshot): Promise<void> {
    if (isLarge(snapshot.data)) await this.#send();
    this.#statements.push(await snapshotHead(this.#connection, store, snapshot));
    this.#deleteOthers(store, snapshot);
  }

  /** Those that a large one replaces are deleted later; if that failed the last time, now, or the table would grow without end. */
  #deleteOthers(store: string, { data }: Snapshot): void {
    if (!isLarge(data) || this.#replaced.has(store)) this.#statements.push(deletionOfOthers(store));
  }

  async saveValue({ hash, data }: { hash: string; data: Buffer }): Promise<void> {
    await this.#send();
    await saveLargeValue(this.#connection, hash, data);
  }

  /**
   * What is left to do, and what ends the transaction.
   *
   * @param committed - called as soon as that is known: what comes after it may fail
   */
  async end(last: readonly Statement[], committed: () => void): Promise<void> {
    this.#statements.push(...last);
    await this.#send(committed);
  }

  async #send(sent?: () => void): Promise<void> {
    const [statements, insertions] = [this.#statements, this.#insertions];
    [this.#statements, this.#insertions] = [[], []];
    if (statements.length === 0) return;
    const results = await this.#connection.run(...statements);
    sent?.();
    for (const { packed, positions, at } of insertions) {
      const wanted = positions === 'all' ? packed.count : positions.length;
      if (results[at]?.count !== wanted) this.#mark(packed, await collidedOf(this.#connection, packed, positions));
    }
  }
}

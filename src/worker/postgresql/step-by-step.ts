/** Carries out what takes several round trips, within a transaction that its caller has begun, and ends. */
import type { Section } from './changes.ts';
import { compact } from './compaction.ts';
import type { Connection, Statement } from './connection.ts';
import { CarefulInsertion, pruning } from './patches.ts';
import { deletionOfOthers, isLarge, largeSnapshot, type Snapshot, smallSnapshot } from './snapshots.ts';
import { saveLargeValue } from './values.ts';
import { removalOfStore } from './whole-stores.ts';

export class StepByStep {
  /** By which the calls are told apart that are to be marked. */
  readonly collided: number[] = [];
  readonly #connection: Connection;
  readonly #replaced: ReadonlySet<string>;
  readonly #careful: CarefulInsertion;
  /** To be sent with what comes next. */
  #statements: Statement[] = [];

  /** @param replaced - stores with chunks of snapshots that were to be deleted after the last one of them */
  constructor(connection: Connection, replaced: ReadonlySet<string>) {
    this.#connection = connection;
    this.#replaced = replaced;
    this.#careful = new CarefulInsertion(connection);
  }

  async carryOut({ patches, snapshots, records, end }: Section): Promise<void> {
    for (const step of patches) {
      await this.#send();
      if (step instanceof Map) {
        this.#careful.pruned();
        this.#statements.push(...pruning(step));
      } else {
        const collided = await this.#careful.insert(step);
        this.collided.push(...collided.map((position) => step.entries[position] ?? 0));
      }
    }
    for (const [store, snapshot] of snapshots) await this.#saveSnapshot(store, snapshot);
    this.#statements.push(...records.statements);
    if (end === undefined) return;
    this.#careful.pruned();
    if ('removed' in end) {
      this.#statements.push(...removalOfStore(end.removed));
      return;
    }
    await this.#send();
    if (!(await compact(this.#connection, end))) this.collided.push(end.at);
    else if (!isLarge(end.snapshot) || this.#replaced.has(end.store))
      this.#statements.push(deletionOfOthers(end.store));
  }

  async #saveSnapshot(store: string, snapshot: Snapshot): Promise<void> {
    if (!isLarge(snapshot)) {
      this.#statements.push(...smallSnapshot(store, snapshot));
      return;
    }
    await this.#send();
    this.#statements.push(await largeSnapshot(this.#connection, store, snapshot));
    // not done the last time: if it can't be done, this fails as well, or the table would grow without end
    if (this.#replaced.has(store)) this.#statements.push(deletionOfOthers(store));
  }

  async saveValue({ hash, data }: { hash: string; data: Buffer }): Promise<void> {
    await this.#send();
    await saveLargeValue(this.#connection, hash, data);
  }

  /** What is left to do, and what ends the transaction. */
  async end(...last: Statement[]): Promise<void> {
    this.#statements.push(...last);
    await this.#send();
  }

  async #send(): Promise<void> {
    const statements = this.#statements;
    this.#statements = [];
    if (statements.length > 0) await this.#connection.run(...statements);
  }
}

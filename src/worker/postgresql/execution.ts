/** Carries out a transaction: all in one round trip, unless it has to be known what is there, or something large is sent by itself. */
import type { Section } from './changes.ts';
import { deletionOfUnnamed, isLarge } from './chunks.ts';
import type { Connection, Reading, Statement } from './connection.ts';
import { PackedPatches } from './packed-patches.ts';
import { collidedOf, insertCarefully, insertion, pruning } from './patches.ts';
import { compact, type Snapshot, snapshotHead } from './snapshots.ts';
import { readingBy, UNLIMITED } from './transactions.ts';
import { saveLargeValue } from './values.ts';
import { removalOfStores } from './whole-stores.ts';

export class Execution {
  readonly #connection: Connection;
  readonly #collided: number[];
  /** To be sent with what comes next; and where those are among them that insert patches. */
  #statements: Statement[];
  #inserted = new Map<number, PackedPatches>();

  constructor(connection: Connection, begin: Statement[], collided: number[]) {
    this.#connection = connection;
    this.#collided = collided;
    this.#statements = [...begin, UNLIMITED];
  }

  async carryOut({ patches, snapshots, records, end }: Section): Promise<void> {
    for (const step of patches) {
      if (!(step instanceof PackedPatches)) {
        await this.#seeWhatCollided();
        this.#statements.push(pruning(step));
      } else if (step.keepers.size === 0) {
        this.#inserted.set(this.#statements.length, step);
        this.#statements.push(insertion(step));
      } else {
        await this.#send();
        this.#collided.push(...(await insertCarefully(this.#connection, step)));
      }
    }
    for (const [store, snapshot] of snapshots) {
      if (isLarge(snapshot.data)) await this.#send();
      this.#statements.push(await snapshotHead(this.#connection, store, snapshot));
      this.#deleteReplaced(store, snapshot);
    }
    this.#statements.push(...records.statements);
    if (end === undefined) return;
    if ('removed' in end) {
      await this.#seeWhatCollided();
      this.#statements.push(...removalOfStores([end.removed]));
      return;
    }
    await this.#send();
    if ('hash' in end) await saveLargeValue(this.#connection, end);
    else if (await compact(this.#connection, end)) this.#deleteReplaced(end.store, end.snapshot);
    else this.#collided.push(end.at);
  }

  /** Before a deletion: it may take the patches that others have met. */
  async #seeWhatCollided(): Promise<void> {
    if (this.#inserted.size > 0) await this.#send();
  }

  /** What a large one replaces is deleted later. */
  #deleteReplaced(store: string, { data }: Snapshot): void {
    if (!isLarge(data)) this.#statements.push(deletionOfUnnamed('sds_snapshots', [store]));
  }

  /** @param committed - called as soon as that is known: what comes after it may fail */
  async end(last: readonly Statement[], committed: () => void): Promise<void> {
    this.#statements.push(...last);
    await this.#send(readingBy(this.#connection), committed);
  }

  /** @param reading - by which it is asked what became of patches: within the transaction, or once that is committed within others */
  async #send(reading: Reading = this.#connection, sent?: () => void): Promise<void> {
    const [statements, inserted] = [this.#statements, this.#inserted];
    [this.#statements, this.#inserted] = [[], new Map()];
    if (statements.length === 0) return;
    const results = await this.#connection.run(...statements);
    sent?.();
    for (const [at, packed] of inserted) {
      if (results[at]?.count === packed.count) continue;
      this.#collided.push(...packed.entriesAt(await collidedOf(reading, packed)));
    }
  }
}

/** Carries out a transaction: all in one round trip, unless it has to be known what is there, or something large is sent by itself. */
import type { Outcome, Section } from './changes.ts';
import { deletionOfUnnamed, isLarge } from './chunks.ts';
import type { Connection, Reading, Result, Statement } from './connection.ts';
import type { PackedPatches, Positions } from './packed-patches.ts';
import { collidedIn, collidedOf, collisions, insertCarefully, insertion, pruning } from './patches.ts';
import { compact, type Snapshot, snapshotHead } from './snapshots.ts';
import { readingBy, UNLIMITED } from './transactions.ts';
import { saveLargeValue } from './values.ts';
import { removalOfStores } from './whole-stores.ts';

/** Patches that are to be sent, but for those that were looked at since. */
interface Inserted {
  readonly packed: PackedPatches;
  positions: Positions;
}

export class Execution {
  readonly #connection: Connection;
  readonly #outcome: Outcome;
  /** By which it is asked what became of patches: within the transaction, and once that is committed within others. */
  #reading: Reading;
  /** To be sent with what comes next; and what is done with their results then. */
  #statements: Statement[];
  #listeners: ((results: Result[]) => void | Promise<void>)[] = [];
  #inserted: Inserted[] = [];

  constructor(connection: Connection, begin: Statement[], outcome: Outcome) {
    this.#connection = this.#reading = connection;
    this.#outcome = outcome;
    this.#statements = [...begin, UNLIMITED];
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
      return;
    }
    await this.#send();
    if ('hash' in end) await saveLargeValue(this.#connection, end);
    else if (await compact(this.#connection, end)) this.#deleteOthers(end.store, end.snapshot);
    else this.#outcome.collided.push(end.at);
  }

  #insert(packed: PackedPatches): void {
    const inserted: Inserted = { packed, positions: 'all' };
    this.#inserted.push(inserted);
    this.#add(insertion(packed, 'all'), async (result) => {
      if (result?.count === packed.count || inserted.positions.length === 0) return;
      this.#mark(packed, await collidedOf(this.#reading, packed, inserted.positions));
    });
  }

  /** Whether patches have met others is seen by those, which are about to be deleted. */
  #lookAt(isDeleted: (store: string, clock: number) => boolean): void {
    for (const inserted of this.#inserted) {
      const { packed, positions } = inserted;
      const gone: number[] = [];
      const rest: number[] = [];
      for (const position of positions === 'all' ? packed.clocks.keys() : positions) {
        (isDeleted(packed.storeAt(position), packed.clocks[position] ?? 0) ? gone : rest).push(position);
      }
      if (gone.length === 0) continue;
      inserted.positions = rest;
      this.#add(collisions(packed, gone), (found) => this.#mark(packed, collidedIn(found, gone)));
    }
  }

  #mark(packed: PackedPatches, collided: readonly number[]): void {
    this.#outcome.collided.push(...packed.entriesAt(collided));
  }

  /** What a large one replaces is deleted later. */
  #deleteOthers(store: string, { data }: Snapshot): void {
    if (isLarge(data)) this.#outcome.replaced.push(store);
    else this.#statements.push(deletionOfUnnamed('sds_snapshots', [store]));
  }

  /** @param committed - called as soon as that is known: what comes after it may fail */
  async end(last: readonly Statement[], committed: () => void): Promise<void> {
    this.#statements.push(...last);
    await this.#send(() => {
      committed();
      this.#reading = readingBy(this.#connection);
    });
  }

  #add(statement: Statement, heard: (result: Result | undefined) => void | Promise<void>): void {
    const at = this.#statements.push(statement) - 1;
    this.#listeners.push((results) => heard(results[at]));
  }

  async #send(sent?: () => void): Promise<void> {
    const [statements, listeners] = [this.#statements, this.#listeners];
    [this.#statements, this.#listeners, this.#inserted] = [[], [], []];
    if (statements.length === 0) return;
    const results = await this.#connection.run(...statements);
    sent?.();
    for (const listener of listeners) await listener(results);
  }
}

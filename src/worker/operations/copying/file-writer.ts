/** Writes what is copied into a database file, all of it or nothing: in one transaction, which ends after it was compared. */
import type { DatabaseSync as Database } from 'node:sqlite';
import { reportedOf } from '../../../protocol/errors.ts';
import { ifPossible } from '../../../protocol/if-possible.ts';
import { CONSTRAINT, primaryCode } from '../../sqlite/errors.ts';
import { Records } from '../../sqlite/records.ts';
import { checkSchema, createRecords, createTables, hasAllTables } from '../../sqlite/schema.ts';
import { Statements } from '../../sqlite/statements.ts';
import { removeStore, storesOf } from '../../sqlite/whole-stores.ts';
import { OperationError, toFailure } from '../failure.ts';
import { existingAt } from '../files/locate.ts';
import { BUSY_MS, openLocked } from '../files/open.ts';
import { PartialFile, type Rights, refuseForeignLog } from '../files/partial-file.ts';
import { keepsLog } from '../files/replace-file.ts';
import { compareStores, compareValues } from './compare.ts';
import { kinds, type Source, type StorePrint, type Writer } from './ends.ts';
import { FileReader } from './file-reader.ts';
import type { Meter } from './meter.ts';

/** In the order in which they come: a table gives each row a higher number than those that are there. */
const insertions = {
  snapshots: 'INSERT INTO snapshots (store_id, clock, data) VALUES (?, ?, ?)',
  patches: 'INSERT INTO patches (store_id, clock, data) VALUES (?, ?, ?)',
  records: 'INSERT INTO sds_records (store_id, key, data) VALUES (?, ?, ?)',
};

export class FileWriter implements Writer {
  /** Its path. */
  readonly label: string;
  readonly #overwrite: boolean;
  readonly #meter: Meter;
  readonly #rights: Rights | undefined;
  /** If it is not there: it appears under its name when it is whole. */
  #partial: PartialFile | undefined;
  #database: Database | undefined;

  /** @param rights - of the files that it is made from, if there are any */
  constructor(path: string, rights: Rights | undefined, overwrite: boolean, meter: Meter) {
    this.label = path;
    this.#rights = rights;
    this.#overwrite = overwrite;
    this.#meter = meter;
  }

  get #reader(): FileReader {
    return new FileReader(this.#opened, this.label, () => this.#meter.step());
  }

  get #opened(): Database {
    if (this.#database === undefined) throw new Error('the file is not open');
    return this.#database;
  }

  async begin(sources: readonly Source[]): Promise<void> {
    this.#try(() => {
      // it may have come, or been moved away, while the sources were read
      if (existingAt(this.label) === undefined) {
        refuseForeignLog(this.label);
        this.#partial = new PartialFile(this.label, this.#meter.bytesInAll + leastOverhead(sources), this.#rights);
      }
      const database = openLocked(this.#partial?.path ?? this.label, 'mode=rw', BUSY_MS, (database) => {
        // Nobody sees a new file yet, so it needs no log. The log would be taken into it at closing, which tells no failure.
        // One that is there keeps the journal that it has; EXTRA: also the end of a rollback journal is on the disk
        if (this.#partial !== undefined) database.exec('PRAGMA journal_mode = MEMORY');
        // EXCLUSIVE: with a rollback journal the lock is needed as soon as pages leave the cache, and each one would wait for it
        database.exec('PRAGMA synchronous = EXTRA; BEGIN EXCLUSIVE');
      });
      this.#database = database;
      checkSchema(database);
      if (!hasAllTables(database)) createTables(database);
      if (this.#partial === undefined) this.#meter.progress.holdsUpOthers = true;
      const sizes = sources.flatMap(({ stores }) => [...stores.values()]);
      if (sizes.some(({ records }) => records > 0)) createRecords(database);
      const statements = new Statements(database);
      const records = new Records(statements);
      const present = storesOf(statements, records);
      const replaced = present.filter((name) => sources.some(({ stores }) => stores.has(name)));
      if (replaced[0] !== undefined && !this.#overwrite) throw isThere(this.label, replaced[0]);
      for (const name of replaced) removeStore(name, statements, records);
    });
  }

  async copyValues(source: Source): Promise<number> {
    if (source.values === undefined) return 0;
    const insert = this.#opened.prepare(
      'INSERT INTO blobs (hash, data, ref_count) VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET ref_count = ref_count + excluded.ref_count',
    );
    let count = 0;
    for await (const values of source.reader.values()) {
      await this.#add(source, values, ({ hash, data, print }) => insert.run(hash, data, print.refCount));
      await compareValues(source, this.#reader, values);
      count += values.length;
    }
    return count;
  }

  async copyStores(source: Source, prints: ReadonlyMap<string, StorePrint>): Promise<void> {
    for (const kind of kinds) {
      // there may be no table for them
      if ([...prints.values()].every((print) => print[kind].count === 0)) continue;
      const insert = this.#opened.prepare(insertions[kind]);
      for await (const rows of source.reader.rows(kind, [...prints.keys()])) {
        await this.#add(source, rows, ({ store, name, data }) => insert.run(store, name, data));
      }
    }
    await compareStores(source, this.#reader, prints);
  }

  async #add<T extends { data: Uint8Array }>(
    { reader }: Source,
    rows: readonly T[],
    insert: (row: T) => unknown,
  ): Promise<void> {
    this.#try(() => {
      try {
        for (const row of rows) insert(row);
      } catch (error) {
        const reported = reportedOf(error);
        if (primaryCode(reported) !== CONSTRAINT) throw error;
        // what was there of its store is deleted, as far as the index of this file leads to it
        const orHere = this.#partial === undefined ? `, or '${this.label}' hides one` : '';
        const detail = `a row is there twice${orHere}: the index of a table does not fit it; 'verify' says more, and salvaging reads it without the index`;
        throw new OperationError('database-corrupt', reader.label, detail, reported);
      }
    });
    await this.#meter.add(rows.reduce((sum, { data }) => sum + data.byteLength, 0));
  }

  async finish(): Promise<void> {
    this.#try(() => {
      const database = this.#opened;
      database.exec('COMMIT');
      this.#database = undefined;
      database.close();
      if (this.#partial === undefined) return;
      keepsLog(this.#partial.path);
      this.#partial.publish(false);
    });
  }

  /** At any end. */
  close(): void {
    // Node 22.5 closes late, and so would keep the lock, which another attempt in this thread needs.
    // Where that fails, nothing was begun, or all of it is committed: either way there is nothing to roll back
    ifPossible(() => this.#database?.exec('ROLLBACK'));
    this.#database?.close();
    this.#partial?.remove();
  }

  /** A disk that is full is told with what would have been needed. */
  #try(write: () => void): void {
    try {
      write();
    } catch (error) {
      throw this.#partial?.failureOf(error) ?? toFailure(error, this.label);
    }
  }
}

/** What rows take besides their bytes: a name and some bytes in the table, and the same in its index. */
function leastOverhead(sources: readonly Source[]): number {
  const sizes = sources.flatMap(({ stores }) => [...stores]);
  return sizes.reduce((sum, [name, { patches, records }]) => sum + (patches + records) * 2 * (name.length + 8), 0);
}

export function isThere(label: string, name: string): OperationError {
  const detail = `the store ${JSON.stringify(name)} is there already; it was left as it is: Overwrite replaces it`;
  return new OperationError('file-exists', label, detail);
}

/** The engine for SQLite files: transactions, statements and what each call does to the tables. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  APPEND_PATCH,
  LOAD_PATCHES,
  LOAD_SNAPSHOT,
  LOAD_VALUE,
  PRUNE_PATCHES,
  RELEASE_VALUE,
  SAVE_SNAPSHOT,
  SAVE_VALUE,
} from '../protocol/entries.ts';
import type { ReadResult } from '../protocol/service.ts';
import { BATCH_FOREIGN_WRITER } from '../protocol/slabs.ts';
import { hasWalResetFault } from '../protocol/sqlite-version.ts';
import type { CallReader } from './call-reader.ts';
import { type CommitPoint, type Engine, EngineError } from './engine.ts';
import { closeDatabase, firstRow } from './node-sqlite.ts';
import { type OpenedDatabase, openDatabase } from './open-database.ts';
import { PatchLoader } from './patch-loader.ts';
import { PatchRows, ROWS_A_STATEMENT } from './patch-rows.ts';
import { toEngineError } from './sqlite-errors.ts';
import { LOOK_EVERY, WalKeeper } from './wal-keeper.ts';

/** Rows of one INSERT; what is left over goes in smaller ones. */
const ROWS = [ROWS_A_STATEMENT, 8, 1] as const;
/** Larger rows go one by one: a statement keeps a copy of all that it is bound to. */
const LARGE_ROW = 64 * 1024;
/** What a row takes besides its bytes, roughly: its entries in the table and its index. */
const ROW_BYTES = 64;

export class SqliteEngine implements Engine {
  readonly #path: string;
  readonly #transient: boolean;
  #opened: OpenedDatabase | undefined;
  #full = false;
  #statements = new Map<string, StatementSync>();
  #wal: WalKeeper | undefined;
  #patches: PatchLoader | undefined;
  #dataVersion: number | undefined;
  version = '';

  readonly #rows = new PatchRows();
  #collided: number[] = [];
  /** Highest number of a store within this transaction, for stores that keep both on a collision. */
  readonly #highest = new Map<string, number>();

  constructor(path: string, transient: boolean) {
    this.#path = path;
    this.#transient = transient;
  }

  open(): void {
    if (this.#opened !== undefined && this.#opened.whereIsFile() !== 'there') this.#abandon();
    this.#connection();
  }

  setDurability(full: boolean): void {
    if (this.#full === full) return;
    this.#full = full;
    this.#opened?.setSynchronous(full);
  }

  #connection(): DatabaseSync {
    if (this.#opened === undefined) {
      const opened = openDatabase(this.#path, this.#transient, this.#full);
      this.#opened = opened;
      this.version = opened.version;
      this.#patches = new PatchLoader(opened.database, opened.isUtf8);
      this.#wal = opened.location === '' ? undefined : new WalKeeper(opened.database, opened.location);
    }
    return this.#opened.database;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection().prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  transact(calls: CallReader, commitPoint: CommitPoint): ReadResult[] {
    this.#comeBackToFile();
    let begun = false;
    let bytes = 0;
    const results: ReadResult[] = [];
    try {
      let more = calls.next();
      // IMMEDIATE: a read that turns into a write fails at once, whatever the timeout (SQLITE_BUSY_SNAPSHOT)
      this.#statement(more && isWrite(calls.operation) ? 'BEGIN IMMEDIATE' : 'BEGIN').run();
      begun = true;
      for (; more; more = calls.next()) bytes += this.#perform(calls, results);
      this.#insertRows();
      if (hasWalResetFault(this.version) && this.#sawForeignWriter()) calls.flag(BATCH_FOREIGN_WRITER);
      for (const at of this.#collided) calls.markCollided(at);
      const { cells, index, value } = commitPoint;
      const commit = this.#statement('COMMIT');
      // A terminated thread ends at the next call or round of a loop (V8's stack checks), `Atomics.store`
      // included: after it, all of 180 threads ended in mid-commit had committed and not published. A
      // plain store is no call: none of 180. What is committed is published.
      commit.run();
      cells[index] = value;
    } catch (error) {
      for (const at of this.#collided) calls.unmarkCollided(at);
      if (begun) this.#rollBack();
      throw this.#classify(error);
    } finally {
      if (this.#collided.length > 0) this.#collided = [];
      this.#rows.clear();
      if (this.#highest.size > 0) this.#highest.clear();
    }
    this.#wal?.wrote(bytes);
    return results;
  }

  /** Carries out one call; returns how many bytes it wrote. */
  #perform(call: CallReader, results: ReadResult[]): number {
    const { caller, clock } = call;
    const { storeId } = caller;
    if (call.operation === APPEND_PATCH) {
      const { data } = call;
      if (caller.keepCollisions) this.#appendKept(storeId, clock, data, call.at);
      else {
        // another provider of this store may keep both: what it knows of the highest number is out of date
        if (this.#highest.size > 0) this.#highest.delete(storeId);
        this.#append(storeId, clock, data, call.at);
      }
      return data.byteLength + ROW_BYTES;
    }
    this.#insertRows();
    switch (call.operation) {
      case SAVE_SNAPSHOT: {
        const { data } = call;
        this.#write(
          'INSERT INTO snapshots (data, store_id, clock) SELECT ?, ?, ? WHERE ? ' +
            'ON CONFLICT (store_id) DO UPDATE SET data = excluded.data, clock = excluded.clock',
          data,
          storeId,
          clock,
        );
        return data.byteLength;
      }
      case PRUNE_PATCHES:
        this.#highest.delete(storeId);
        this.#statement('DELETE FROM patches WHERE store_id = ? AND clock < ?').run(storeId, clock);
        return LOOK_EVERY; // nobody knows how much: have a look
      case SAVE_VALUE: {
        const { data, key } = call;
        if (caller.verifyValues) verify(key, data, 'invalid-argument');
        this.#write(
          'INSERT INTO blobs (data, hash, ref_count) SELECT ?, ?, 1 WHERE ? ' +
            'ON CONFLICT (hash) DO UPDATE SET ref_count = ref_count + 1',
          data,
          key,
        );
        return data.byteLength;
      }
      case RELEASE_VALUE: {
        const { key } = call;
        this.#statement('UPDATE blobs SET ref_count = ref_count - 1 WHERE hash = ?').run(key);
        this.#statement('DELETE FROM blobs WHERE hash = ? AND ref_count <= 0').run(key);
        return ROW_BYTES;
      }
      case LOAD_SNAPSHOT: {
        const row = firstRow(this.#statement('SELECT data FROM snapshots WHERE store_id = ?'), storeId);
        results.push({ settler: call.settler, kind: 'bytes', bytes: bytesOf(row) });
        return 0;
      }
      case LOAD_PATCHES:
        results.push({ settler: call.settler, kind: 'patches', blocks: this.#patches?.load(storeId, clock) ?? [] });
        return 0;
      case LOAD_VALUE: {
        const { key } = call;
        const bytes = bytesOf(firstRow(this.#statement('SELECT data FROM blobs WHERE hash = ?'), key));
        if (bytes !== undefined && caller.verifyValues) verify(key, bytes, 'database-corrupt');
        results.push({ settler: call.settler, kind: 'bytes', bytes });
        return 0;
      }
      default:
        throw new Error(`there is no operation ${call.operation}`);
    }
  }

  /**
   * Runs a statement whose first parameter are bytes and whose last is a condition. A statement keeps
   * what it is bound to until it is run again, so after large bytes it is run on none, to no effect.
   */
  #write(sql: string, data: Uint8Array, ...others: (string | number)[]): number {
    const statement = this.#statement(sql);
    const { changes } = statement.run(data, ...others, 1);
    if (data.byteLength > LARGE_ROW) statement.run(new Uint8Array(0), ...others, 0);
    return Number(changes);
  }

  // ---- patches ----------------------------------------------------------------------------------

  /** Inserts the gathered rows. A number that is taken is left as it is, any other conflict is an error. */
  #insertRows(): void {
    const rows = this.#rows;
    if (rows.count === 0) return;
    rows.order();
    let done = 0;
    for (const size of ROWS) {
      for (; rows.count - done >= size; done += size) {
        const { changes } = this.#statement(insertOf(size)).run(...rows.values(done, size));
        if (changes !== size) this.#findCollided(done, size);
      }
    }
    rows.clear();
  }

  /** Gathers a row, or inserts it at once if it would make a statement of many rows hold too much. */
  #append(storeId: string, clock: number, data: Uint8Array, at: number): void {
    if (data.byteLength <= LARGE_ROW) {
      if (this.#rows.add(storeId, clock, data, at)) this.#insertRows();
      return;
    }
    this.#insertRows();
    const sql =
      'INSERT INTO patches (data, store_id, clock) SELECT ?, ?, ? WHERE ? ON CONFLICT (store_id, clock) DO NOTHING';
    if (this.#write(sql, data, storeId, clock) === 1) return;
    if (!this.#isStored(storeId, clock, data)) this.#collided.push(at);
  }

  /** Some numbers were taken: by the same bytes (then all is well) or by others (then a patch is lost). */
  #findCollided(first: number, count: number): void {
    for (let row = first; row < first + count; row++) {
      const [storeId, clock, data] = this.#rows.values(row, 1) as [string, number, Uint8Array];
      if (!this.#isStored(storeId, clock, data)) this.#collided.push(this.#rows.entryOf(row));
    }
  }

  /** Whether these very bytes are stored under this number. */
  #isStored(storeId: string, clock: number, data: Uint8Array): boolean {
    const stored = this.#statement('SELECT data FROM patches WHERE store_id = ? AND clock = ?');
    const bytes = firstRow(stored, storeId, clock)?.data;
    return bytes instanceof Uint8Array && Buffer.compare(bytes, data) === 0;
  }

  /** Stores a patch under its number, or the next free one, unless the same bytes are there on the way. */
  #appendKept(storeId: string, clock: number, data: Uint8Array, at: number): void {
    let highest = this.#highest.get(storeId);
    if (highest === undefined) {
      this.#insertRows(); // rows of this store may be among those gathered
      const row = firstRow(this.#statement('SELECT max(clock) AS highest FROM patches WHERE store_id = ?'), storeId);
      highest = (row?.highest as number | null) ?? Number.NEGATIVE_INFINITY;
    }
    if (clock > highest) {
      this.#highest.set(storeId, clock);
      this.#append(storeId, clock, data, at);
      return;
    }
    this.#insertRows();
    const free = this.#firstFree(storeId, clock);
    const same = firstRow(
      this.#statement('SELECT 1 FROM patches WHERE store_id = ? AND clock >= ? AND clock < ? AND data = ? LIMIT 1'),
      storeId,
      clock,
      free,
      data,
    );
    if (same === undefined) this.#append(storeId, free, data, at);
    this.#highest.set(storeId, Math.max(highest, free));
  }

  #firstFree(storeId: string, clock: number): number {
    const taken = firstRow(this.#statement('SELECT 1 FROM patches WHERE store_id = ? AND clock = ?'), storeId, clock);
    if (taken === undefined) return clock;
    const next = this.#statement(
      'SELECT clock + 1 AS free FROM patches AS p WHERE store_id = ? AND clock >= ? AND NOT EXISTS ' +
        '(SELECT 1 FROM patches AS q WHERE q.store_id = p.store_id AND q.clock = p.clock + 1) ORDER BY clock LIMIT 1',
    );
    const free = Number(firstRow(next, storeId, clock)?.free);
    if (!Number.isSafeInteger(free)) {
      throw new EngineError('invalid-argument', { message: `there is no free number above ${clock}` });
    }
    return free;
  }

  // ---- trouble ----------------------------------------------------------------------------------

  /** A file that was taken away: writing on would acknowledge what nobody can read again. */
  #comeBackToFile(): void {
    if (this.#opened === undefined) return;
    const found = this.#opened.whereIsFile();
    if (found === 'there') return;
    if (found === 'missing') {
      const message = 'the file was removed or moved away while it was open; put it back, or open it anew';
      throw new EngineError('io-error', { message });
    }
    this.#abandon(); // there is another file in its place
  }

  #rollBack(): void {
    const opened = this.#opened;
    if (opened === undefined) return;
    try {
      opened.database.exec('ROLLBACK');
    } catch (error) {
      // SQLite rolls back by itself after some errors (full, I/O); a connection in doubt is not kept
      if (!/no transaction is active/.test((error as Error).message)) this.#abandon();
    }
  }

  /** After errors that may leave a connection in doubt, the next call begins with a new one. */
  #classify(error: unknown): EngineError {
    const failure = toEngineError(error);
    const inDoubt = failure.code === 'io-error' || failure.code === 'database-corrupt' || failure.code === 'read-only';
    if (inDoubt) this.#abandon();
    return failure;
  }

  /** Lets go of a connection; a database in memory would be gone with it, so that one stays. */
  #abandon(): void {
    if (this.#transient) return;
    const opened = this.#opened;
    this.#forget();
    try {
      opened?.database.close();
    } catch {
      // the connection is in doubt already, and the failure that led here is the one that is reported
    }
  }

  #forget(): void {
    this.#opened = undefined;
    this.#statements = new Map();
    this.#patches = undefined;
    this.#wal = undefined;
    this.#dataVersion = undefined;
  }

  // ---- beside the calls ---------------------------------------------------------------------------

  tidyUp(): boolean {
    return this.#wal?.checkpointIfIdle() ?? false;
  }

  close(): void {
    const opened = this.#opened;
    this.#forget();
    if (opened !== undefined) closeDatabase(opened.database);
  }

  /** `data_version` changes when another connection has committed: one of another process. */
  #sawForeignWriter(): boolean {
    const before = this.#dataVersion;
    this.#dataVersion = firstRow(this.#statement('PRAGMA data_version'))?.data_version as number;
    return before !== undefined && before !== this.#dataVersion;
  }
}

function isWrite(operation: number): boolean {
  return operation < LOAD_SNAPSHOT;
}

const inserts = new Map<number, string>();

function insertOf(rows: number): string {
  let sql = inserts.get(rows);
  if (sql === undefined) {
    const values = Array(rows).fill('(?, ?, ?)').join(', ');
    sql = `INSERT INTO patches (store_id, clock, data) VALUES ${values} ON CONFLICT (store_id, clock) DO NOTHING`;
    inserts.set(rows, sql);
  }
  return sql;
}

/** The bytes of a row; anything but a BLOB was not written by a provider. */
function bytesOf(row: Record<string, unknown> | undefined): Uint8Array | undefined {
  if (row === undefined) return undefined;
  if (row.data instanceof Uint8Array) return row.data;
  throw new EngineError('database-corrupt', { message: `a column of bytes holds a ${typeof row.data}` });
}

function verify(hash: string, data: Uint8Array, code: 'invalid-argument' | 'database-corrupt'): void {
  // loaded when it is needed: it would make every worker start later
  const { createHash } = process.getBuiltinModule('node:crypto');
  const actual = createHash('sha256').update(data).digest('hex');
  if (actual === hash.toLowerCase()) return;
  throw new EngineError(code, { message: `the value's SHA-256 is ${actual}, not ${hash}` });
}

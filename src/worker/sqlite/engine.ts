/** The engine for SQLite files: connections, transactions, and what loads read. */
import { FOREIGN_WRITER } from '../../protocol/control.ts';
import { ifPossible } from '../../protocol/if-possible.ts';
import type { PackedBytes } from '../../protocol/packed-bytes.ts';
import type { ProviderMessage, RecordsFound, StoreFound } from '../../protocol/service.ts';
import { type CommitPoint, type Engine, EngineError, type Member, noteCommit, type Writes } from '../engine.ts';
import { isTooBig, toEngineError } from './errors.ts';
import { withSystemReason } from './no-room.ts';
import { closeDatabase, hasWalResetFault, keepsStatementsOpen } from './node-sqlite.ts';
import { type OpenedDatabase, openDatabase, type Whereabouts } from './open-database.ts';
import type { DatabaseName } from './ordinary-file.ts';
import { loadPatches } from './patch-loader.ts';
import { PatchWriter } from './patch-writer.ts';
import { perform, type Tables } from './perform.ts';
import { Records } from './records.ts';
import { bytesOf, Statements } from './statements.ts';
import { WalKeeper } from './wal-keeper.ts';
import { loadStore, notImported, storesOf } from './whole-stores.ts';

/** SQLite's default, and that of the synchronous provider. */
const PAGE_BYTES = 4096;

/** All that lives as long as a connection. */
interface Connection extends Tables {
  opened: OpenedDatabase;
  wal: WalKeeper | undefined;
  dataVersion: number | undefined;
}

export class SqliteEngine implements Engine {
  readonly #name: DatabaseName & Pick<ProviderMessage, 'file'>;
  readonly #control: Int32Array;
  #connection: Connection | undefined;
  #full = false;

  /** @param control - the control block, where checkpoints are counted, and foreign writers noted */
  constructor(name: DatabaseName & Pick<ProviderMessage, 'file'>, control: Int32Array) {
    this.#name = name;
    this.#control = control;
  }

  attach(): undefined {
    if (this.#connection !== undefined && this.#connection.opened.whereIsFile() !== 'there') {
      this.#connection.wal?.checkpoint('PASSIVE');
      this.#abandon();
    }
    this.#connect();
  }

  setDurability(full: boolean): void {
    if (this.#full === full) return;
    try {
      this.#connection?.opened.setSynchronous(full);
    } catch (error) {
      throw this.#failed(error);
    }
    this.#full = full;
  }

  #connect(): Connection {
    if (this.#connection !== undefined) return this.#connection;
    const opened = openDatabase(this.#name, this.#full);
    const wal = opened.location === '' ? undefined : new WalKeeper(opened, this.#control);
    this.#connection = connectionOn(opened, wal);
    return this.#connection;
  }

  transact(writes: Writes, commitPoint: CommitPoint): void {
    this.#comeBackToFile();
    const connection = this.#connect();
    const { statements, writer } = connection;
    let bytes = 0;
    let isCommitting = false;
    try {
      // IMMEDIATE: a read that turns into a write fails at once, whatever the timeout (SQLITE_BUSY_SNAPSHOT)
      statements.get('BEGIN IMMEDIATE').run();
      while (writes.next()) bytes += perform(writes, connection);
      writer.insert();
      bytes += PAGE_BYTES * writer.pages;
      if (hasWalResetFault() && sawForeignWriter(connection)) {
        Atomics.store(this.#control, FOREIGN_WRITER, this.#name.file + 1);
      }
      for (const at of writer.collided) writes.markWithoutEffect(at);
      const { cells, index, value } = commitPoint;
      const commit = statements.get('COMMIT');
      isCommitting = true;
      // A terminated thread ends at the next call or round of a loop (V8's stack checks), `Atomics.store`
      // included: after it, all of 180 threads ended in mid-commit had committed and not published. A
      // plain store is no call: none of 180. What is committed is published.
      commit.run();
      cells[index] = value;
      noteCommit(commitPoint);
    } catch (error) {
      this.#rollBack(connection);
      if (isTooBig(error)) throw EngineError.of(error, 'invalid-argument');
      const failure = this.#failed(error);
      // it is in the log, and counts for whoever reads that anew, as the next connection does if this one can't be closed as it should be
      failure.mayBeStored = isCommitting && this.#connection === undefined;
      throw failure;
    } finally {
      writer.clear();
    }
    connection.wal?.wrote(bytes);
  }

  loadSnapshot({ storeId }: Member): Uint8Array | undefined {
    return this.#read(({ statements }) =>
      bytesOf(statements.first('SELECT data FROM snapshots WHERE store_id = ?', storeId)),
    );
  }

  loadPatchesSince({ storeId }: Member, clock: number): PackedBytes {
    return this.#read(({ statements }) => loadPatches(statements, storeId, clock));
  }

  loadValue(_: Member, hash: string): Uint8Array | undefined {
    return this.#read(({ statements }) => bytesOf(statements.first('SELECT data FROM blobs WHERE hash = ?', hash)));
  }

  loadStore({ storeId }: Member): StoreFound {
    return this.#read(({ statements }) => loadStore(storeId, statements));
  }

  listStores(): string[] {
    return this.#read(({ statements, records }) => storesOf(statements, records));
  }

  listNotImported(): string[] {
    return this.#read(({ statements }) => notImported(statements));
  }

  loadRecord({ storeId }: Member, key: string): Uint8Array | undefined {
    return this.#read(({ records }) => records.load(storeId, key));
  }

  loadRecords({ storeId }: Member, prefix: string): RecordsFound {
    return this.#read(({ records }) => records.loadAll(storeId, prefix));
  }

  /** In one transaction: what several statements find belongs together. */
  #read<T>(read: (connection: Connection) => T): T {
    this.#comeBackToFile();
    const connection = this.#connectToRead();
    const { statements, opened } = connection;
    try {
      statements.get('BEGIN').run();
      const found = read(connection);
      statements.get('COMMIT').run();
      return found;
    } catch (error) {
      this.#rollBack(connection);
      throw this.#failed(error);
    } finally {
      if (opened.onlyReads) opened.database.close();
    }
  }

  /** Without room for what a connection needs beside the file, or makes in it: one for this time. Reading it needs neither. */
  #connectToRead(): Connection {
    try {
      return this.#connect();
    } catch (error) {
      const isFull = error instanceof EngineError && error.code === 'database-full';
      // such a Node would go on locking everybody out
      if (!isFull || keepsStatementsOpen()) throw error;
      // with nothing to read yet, or where it is not to be had alone, what failed first says what to do
      const opened = ifPossible(() => openDatabase(this.#name, this.#full, true));
      if (opened === undefined) throw error;
      return connectionOn(opened, undefined);
    }
  }

  /** A file that was taken away: writing on would acknowledge what nobody can read again. */
  #comeBackToFile(): void {
    const found = this.#connection?.opened.whereIsFile() ?? 'there';
    if (found === 'there') return;
    if (found === 'missing') {
      const message = 'the file was removed or moved away while it was open; put it back, or open it anew';
      throw new EngineError('io-error', { message });
    }
    this.#abandon(); // there is another file in its place
  }

  #rollBack({ opened, records }: Connection): void {
    records.rolledBack();
    try {
      opened.database.exec('ROLLBACK');
    } catch (error) {
      // nothing had begun, or SQLite has rolled back by itself (full, I/O); any other connection in doubt is not kept
      if (!/no transaction is active/.test((error as Error).message)) this.#abandon();
    }
  }

  /** After errors that may leave a connection in doubt, the next call begins with a new one. */
  #failed(error: unknown): EngineError {
    const failure = withSystemReason(toEngineError(error), this.#connection?.opened.location ?? '');
    const inDoubt = failure.code === 'io-error' || failure.code === 'database-corrupt' || failure.code === 'read-only';
    if (inDoubt && failure !== error) this.#abandon();
    return failure;
  }

  /** Lets go of a connection; a database in memory would be gone with it, so that one stays. */
  #abandon(): void {
    if (this.#name.transient) return;
    const connection = this.#connection;
    this.#connection = undefined;
    // it is in doubt already, and the failure that led here is the one that is reported
    ifPossible(() => connection?.opened.close());
  }

  pause(): void {
    this.#connection?.wal?.checkpointInPause();
  }

  tidyUp(): boolean {
    return this.#connection?.wal?.checkpointIfIdle() ?? false;
  }

  close(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) return;
    const { opened, wal } = connection;
    let found: Whereabouts = 'missing';
    try {
      found = opened.whereIsFile();
      // as SQLite does at closing, but not for a file that was moved away
      if (found === 'missing') wal?.checkpoint('PASSIVE');
    } finally {
      if (found === 'there') closeDatabase(opened.database);
      else opened.close(); // the log may be another file's
    }
  }
}

function connectionOn(opened: OpenedDatabase, wal: WalKeeper | undefined): Connection {
  const statements = new Statements(opened.database);
  const [writer, records] = [new PatchWriter(statements), new Records(statements)];
  return { opened, statements, writer, records, wal, dataVersion: undefined };
}

/** `data_version` changes when another connection has committed: one of another process. */
function sawForeignWriter(connection: Connection): boolean {
  const before = connection.dataVersion;
  connection.dataVersion = connection.statements.first('PRAGMA data_version')?.data_version as number;
  return before !== undefined && before !== connection.dataVersion;
}

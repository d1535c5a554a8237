/** The provider: checks what it is given, and hands it to the queue of its file. */
import { types } from 'node:util';
import { keyOfSeen, type SeenStore } from '../protocol/compaction.ts';
import type { SDS_Record, SDS_StoreContents } from '../protocol/contents.ts';
import type { SDS_PersistenceProvider } from '../protocol/contract.ts';
import { IN_PARCEL, type LoadOperation, NOT_IMPORTED, type WriteOperation } from '../protocol/entries.ts';
import { makeError, reviveError, SDS_PersistenceError } from '../protocol/errors.ts';
import { hasOwnLocks } from '../protocol/file-url.ts';
import type { SDS_BackupOptions, SDS_BackupResult } from '../protocol/operations.ts';
import type { ProviderSettings, SDS_ProviderOptions } from '../protocol/options.ts';
import type { Parcel } from '../protocol/parcel.ts';
import { isPostgresqlUrl } from '../protocol/postgresql/url.ts';
import type { Location, StoreInParcel } from '../protocol/service.ts';
import type { SDS_Statistics } from '../protocol/statistics.ts';
import { Promise } from '../protocol/surroundings.ts';
import { faultOfBytes, faultOfClock, faultOfKey, readContents } from './arguments.ts';
import { Attachment } from './attachment.ts';
import { needStack } from './enough-stack.ts';
import { locateFile, OWN_LOCKS, targetOf } from './location.ts';
import { isExiting, tellNoted } from './observe/notes.ts';
import { backupFile } from './operations/operations.ts';
import { describe } from './option-checks.ts';
import { readOptions } from './provider-options.ts';
import type { FileQueue } from './queue/file-queue.ts';
import { Member } from './queue/member.ts';
import { contradictionOf, locateServer } from './server-location.ts';
import { statisticsOf } from './statistics.ts';
import { takeMark } from './transfer.ts';
import { drainAtExit } from './workers/exit-guard.ts';
import type { ReplaceableWorker } from './workers/replaceable-worker.ts';
import { type OpenFile, openFile } from './workers/worker-pool.ts';

declare global {
  /** Every Node that this runs on has it; not so every library that a compiler is set to. */
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
}

/**
 * Persists one store in an SQLite file, from a worker thread: the drop-in for the synchronous
 * provider of the same name. Any number of providers, on one file or many, may be used side by side.
 *
 * Calls of a provider take effect in the order in which they are made, awaited or not; a read sees
 * every write called before it. Each method returns a promise and never throws at the call. All
 * byte arguments are copied before a call returns, unless handed over by `transfer`; what a load
 * returns belongs to the caller.
 *
 * Promises reject with an `SDS_PersistenceError`. A read can fail with `open-failed`, `schema-mismatch`, `database-busy`,
 * `database-full` (it may have to make the file), `database-corrupt`, `read-only`, `io-error` and `worker-lost`, and on PostgreSQL
 * with `connection-failed` and `fenced`; a write with these, and `queue-full`. `SDS_PersistenceErrorCode` says what each means.
 *
 * @example
 * const Provider = new SDS_DesktopPersistenceProvider('./notes.db', 'my-store')
 * await Provider.appendPatch(new Uint8Array([1, 2, 3]), 1)
 * const Patches = await Provider.loadPatchesSince(0)
 * await Provider.close()
 */
export class SDS_DesktopPersistenceProvider implements SDS_PersistenceProvider {
  readonly #queue: FileQueue;
  readonly #worker: ReplaceableWorker;
  readonly #member: Member;
  readonly #attachment: Attachment;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  /**
   * Starts opening the database; `ready()` tells how that went.
   *
   * @param DbPath - the database file, by its path or a `file:` URL; it is made if it is not there, its folder is not.
   *   `':memory:'` is a database of this provider's own, gone once it is closed. A `postgres://` URL is a database on a
   *   server, which takes the package `pg` beside this one
   * @param StoreId - the store within the file
   * @param Options - see `SDS_ProviderOptions`
   * @throws SDS_PersistenceError `invalid-argument` for a wrong argument; `open-failed` for a relative path if the working
   *   directory was removed, and where there is no memory for a worker
   */
  constructor(DbPath: string, StoreId: string, Options?: SDS_ProviderOptions) {
    const isServer = typeof DbPath === 'string' && isPostgresqlUrl(DbPath);
    const options = readOptions(Options, isServer);
    const fault =
      (typeof DbPath !== 'string' && `DbPath must be a string, not ${describe(DbPath)}`) ||
      (DbPath.includes('\0') && 'DbPath must not contain a NUL character') ||
      (typeof StoreId !== 'string' && `StoreId must be a string, not ${describe(StoreId)}`) ||
      (typeof options === 'string' && options);
    if (typeof options === 'string' || fault) {
      const location = typeof DbPath === 'string' && !isServer ? DbPath : '?';
      throw makeError('invalid-argument', 'constructor', location, String(fault));
    }
    const { settings, given } = options;
    const location = isServer ? locateServer(DbPath, settings) : locateFile(DbPath);
    const file = open(location, settings);
    const { queue, worker } = file;
    const contradiction = contradictionOf(queue.location, location, given);
    if (contradiction !== undefined) throw makeError('invalid-argument', 'constructor', location.path, contradiction);
    const storeId = StoreId.toWellFormed(); // as the database keeps it
    const member = new Member(queue.dbPath, queue.store(storeId), storeId, settings);
    member.password = location.server?.target.password;
    queue.join(member);
    this.#queue = queue;
    this.#worker = worker;
    this.#member = member;
    this.#attachment = new Attachment(file, member);
    unclosed.register(this, this.#attachment, this);
    tellNoted();
  }

  /**
   * Resolves once the database is open. After a failure it tries again, as every other call does.
   *
   * @throws `open-failed`, `schema-mismatch`, `database-busy`, `database-full`, `database-corrupt`,
   *   `read-only`, `io-error`, `worker-lost`, `closed`; on PostgreSQL also `connection-failed`, and `fenced` if another
   *   process still has the store after that time, see `BusyTimeoutMs`
   */
  async ready(): Promise<void> {
    if (this.#closing !== undefined) throw this.#error('ready');
    const failure = await this.#openFailure();
    if (failure !== undefined) throw failure;
  }

  /** Why the database could not be opened, if so. */
  async #openFailure(): Promise<SDS_PersistenceError | undefined> {
    const { failure } = await this.#attachment.outcome();
    return this.#queue.refusalOf('ready') ?? (failure && reviveError(failure, 'ready', this.#queue.dbPath));
  }

  /**
   * Loads the store's last full snapshot.
   *
   * @returns its bytes, which belong to the caller, or `undefined` if none was saved
   * @throws `closed`, and all that a read can fail with
   */
  loadSnapshot(): Promise<Uint8Array | undefined> {
    return this.#load('loadSnapshot');
  }

  /**
   * Replaces the store's snapshot. Resolves when that is queued, or once it is committed: see the option `Acknowledge`.
   *
   * @param Data - the snapshot; copied, or taken over with the option `TransferSnapshots` or by `transfer`
   * @param Clock - the patch number at that moment, an integer
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   */
  saveSnapshot(Data: Uint8Array, Clock = 0): Promise<void> {
    const fault = faultOfBytes(Data, 'Data') ?? faultOfClock(Clock, 'Clock');
    return this.#write('saveSnapshot', fault, '', Clock, Data, this.#member.settings.TransferSnapshots);
  }

  /**
   * Loads the patches with a number **greater** than `Clock`, in ascending order.
   *
   * @param Clock - an integer; 0 for all patches that a sync engine has numbered from 1 on
   * @returns patches that belong to the caller. Those of one load may share buffers of about 1 MB:
   *   copy a patch to keep it alone, and do not transfer its buffer
   * @throws `invalid-argument`, `closed`, and all that a read can fail with
   */
  loadPatchesSince(Clock: number): Promise<Uint8Array[]> {
    return this.#load('loadPatchesSince', faultOfClock(Clock, 'Clock'), '', Clock);
  }

  /**
   * Stores a patch under its number. Resolves once it is committed. What becomes of one whose number is taken, the option
   * `OnClockCollision` says. Patches that are committed together share a promise.
   *
   * @param Patch - copied before the call returns, or handed over by `transfer`
   * @param Clock - the patch's number, an integer
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   */
  appendPatch(Patch: Uint8Array, Clock: number): Promise<void> {
    const fault = faultOfBytes(Patch, 'Patch') ?? faultOfClock(Clock, 'Clock');
    if (fault !== undefined || this.#closing !== undefined) return this.#refuse('appendPatch', fault, Patch);
    const promise = this.#queue.appendPatch(this.#member, Patch, Clock);
    if (isExiting()) drainAtExit([this.#worker]);
    tellNoted();
    return promise;
  }

  /**
   * Deletes the patches with a number **smaller** than `beforeClock`. A patch that was called while a snapshot was being stored,
   * or as soon as it was, may not be part of it: it stays until a later snapshot contains it (docs/swap.md). Resolves as `saveSnapshot` does.
   *
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   */
  prunePatches(beforeClock: number): Promise<void> {
    const fault = faultOfClock(beforeClock, 'beforeClock');
    if (fault !== undefined) return this.#refuse('prunePatches', fault);
    return this.#write('prunePatches', undefined, '', this.#member.store.pruneLimit(beforeClock));
  }

  /**
   * Loads a value by its hash. Values belong to the file, not to a store.
   *
   * @returns its bytes, which belong to the caller, or `undefined` if it is not there
   * @throws `invalid-argument`, `closed`, `database-corrupt` (also if `VerifyValues` finds other
   *   bytes), and all that a read can fail with
   */
  loadValue(ValueHash: string): Promise<Uint8Array | undefined> {
    return this.#load('loadValue', faultOfKey(ValueHash, 'ValueHash'), ValueHash);
  }

  /**
   * Stores a value with a reference count of 1, or adds 1 to the count of the one that is there. Resolves as `saveSnapshot` does.
   *
   * @param ValueHash - its SHA-256, or whatever the caller names it by
   * @param Data - copied before the call returns, or handed over by `transfer`
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   */
  saveValue(ValueHash: string, Data: Uint8Array): Promise<void> {
    const fault = faultOfKey(ValueHash, 'ValueHash') ?? faultOfBytes(Data, 'Data');
    return this.#write('saveValue', fault, ValueHash, 0, Data);
  }

  /**
   * Takes 1 off a value's reference count and deletes it at 0, in one transaction. An unknown hash
   * is no error. Resolves as `saveSnapshot` does.
   *
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   */
  releaseValue(ValueHash: string): Promise<void> {
    return this.#write('releaseValue', faultOfKey(ValueHash, 'ValueHash'), ValueHash);
  }

  // ---- the store as a whole ---------------------------------------------------------------------

  /**
   * Loads all that lies in the store, as it was at one moment: snapshot, patches and their highest number.
   *
   * @returns bytes that belong to the caller; patches share buffers as those of `loadPatchesSince` do
   * @throws `closed`, and all that a read can fail with
   */
  loadStore(): Promise<SDS_StoreContents> {
    return this.#load('loadStore');
  }

  /**
   * Replaces what `loadStore` found by one snapshot that has it all, in one transaction: the snapshot is stored with the number
   * `Contents.LastClock`, and the patches up to that number are deleted. Patches that were appended since stay. Resolves
   * once that is committed. If the snapshot that was found has that number, and there are patches, the new one gets the next: so
   * of two compactions of one state only the first is carried out.
   *
   * Nothing is changed if the store is not as it was found: another snapshot is there, or another patch with such a number
   * (another process has compacted or appended meanwhile). So no compaction takes away what its maker has not seen.
   *
   * @param Data - the snapshot; copied, or handed over by `transfer`
   * @param Contents - as `loadStore` returned it; of `Patches` only the length counts, its bytes may be gone
   * @returns whether the store was compacted; on PostgreSQL false as well if the worker thread was lost before it heard of that
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   *
   * @example
   * const Provider = new SDS_DesktopPersistenceProvider('./notes.db', 'my-store')
   * await Provider.appendPatch(new Uint8Array([1, 2]), 1)
   * await Provider.appendPatch(new Uint8Array([3]), 2)
   * const Contents = await Provider.loadStore()
   * // of a document whose patches are merged by putting them one behind the other
   * const merged = Buffer.concat([Contents.Snapshot ?? new Uint8Array(0), ...Contents.Patches])
   * console.log(await Provider.compactStore(merged, Contents)) // true
   * await Provider.close()
   */
  compactStore(
    Data: Uint8Array,
    Contents: Pick<SDS_StoreContents, 'SnapshotClock' | 'Patches' | 'LastClock'>,
  ): Promise<boolean> {
    const contents = readContents(Contents); // first: what it runs may take the bytes away
    if (typeof contents === 'string') return this.#refuse('compactStore', contents, Data);
    return this.#write('compactStore', faultOfBytes(Data, 'Data'), keyOfSeen(contents.seen), contents.lastClock, Data);
  }

  /** @internal Whether another process may give the store back: it was never this one's. One that was lost takes another provider. */
  get mayComeFree(): boolean {
    return this.#attachment.mayComeFree;
  }

  /** @internal Whether another one is on the same database, and in the same schema, by whatever name. */
  sharesDatabaseWith(other: SDS_DesktopPersistenceProvider): boolean {
    return this.#queue.location.key === other.#queue.location.key;
  }

  /** @internal One of the documents that another program has left in the file, if nothing is stored there but these. */
  listNotImported(): Promise<string[]> {
    return this.#load('listStores', undefined, NOT_IMPORTED);
  }

  /** @internal How many writes were refused for want of room: the rejections of the last ones may not have reached anybody yet. */
  get refusedWrites(): number {
    return this.#member.refusedWrites;
  }

  /** @internal How many promises of patches were rejected, those that were refused among them: likewise. */
  get rejectedAppends(): number {
    return this.#member.rejectedAppends;
  }

  /** @internal As `loadStore`, with the bytes in a parcel, which belongs to the caller. */
  loadParcel(): Promise<StoreInParcel> {
    return this.#load('loadStore', undefined, IN_PARCEL);
  }

  /** @internal As `compactStore` up to a number, by what is in a parcel; whatever this comes to, its caller discards it. */
  compactByParcel(data: Parcel, seen: SeenStore, lastClock: number): Promise<boolean> {
    return this.#write('compactStore', undefined, keyOfSeen(seen), lastClock, data);
  }

  /**
   * Deletes the store: its snapshot, its patches and its records. Values belong to the file and stay. What is called
   * later begins a new store of that name. Resolves once that is committed.
   *
   * @throws `closed`, and all that a write can fail with
   */
  removeStore(): Promise<void> {
    return this.#write('removeStore');
  }

  /**
   * The ids of all stores of the database that have a snapshot, patches or records, in the order of their UTF-8 bytes.
   *
   * @throws `closed`, and all that a read can fail with
   */
  listStores(): Promise<string[]> {
    return this.#load('listStores');
  }

  // ---- records -------------------------------------------------------------------------------------

  /**
   * Stores bytes under a key of this store, in place of those that are there. Resolves once that is committed. The table of
   * records is made with the first one: a file without records is as the synchronous provider leaves it.
   *
   * @param Key - any text of up to 65,536 bytes of UTF-8
   * @param Data - copied before the call returns, or handed over by `transfer`
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   *
   * @example
   * const Provider = new SDS_DesktopPersistenceProvider('./notes.db', 'my-store')
   * await Provider.saveRecord('settings', new TextEncoder().encode('dark'))
   * console.log(new TextDecoder().decode(await Provider.loadRecord('settings'))) // dark
   * await Provider.close()
   */
  saveRecord(Key: string, Data: Uint8Array): Promise<void> {
    return this.#write('saveRecord', faultOfKey(Key, 'Key') ?? faultOfBytes(Data, 'Data'), Key, 0, Data);
  }

  /**
   * Loads the bytes under a key of this store.
   *
   * @returns bytes that belong to the caller, or `undefined` if there are none
   * @throws `invalid-argument`, `closed`, and all that a read can fail with
   */
  loadRecord(Key: string): Promise<Uint8Array | undefined> {
    return this.#load('loadRecord', faultOfKey(Key, 'Key'), Key);
  }

  /**
   * Loads the records of this store whose key begins with `Prefix`, in the order in which they were first saved.
   *
   * @param Prefix - '' for all
   * @returns bytes that belong to the caller; those of several records share buffers, as patches of one load do
   * @throws `invalid-argument`, `closed`, and all that a read can fail with
   */
  loadRecords(Prefix = ''): Promise<SDS_Record[]> {
    return this.#load('loadRecords', faultOfKey(Prefix, 'Prefix'), Prefix);
  }

  /**
   * Deletes the record under a key of this store. A key without one is no error. Resolves once that is committed.
   *
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   */
  removeRecord(Key: string): Promise<void> {
    return this.#write('removeRecord', faultOfKey(Key, 'Key'), Key);
  }

  /**
   * Deletes the records of this store whose key begins with `Prefix`. Resolves once that is committed.
   *
   * @param Prefix - '' for all
   * @throws `invalid-argument`, `closed`, and all that a write can fail with
   */
  removeRecords(Prefix: string): Promise<void> {
    return this.#write('removeRecords', faultOfKey(Prefix, 'Prefix'), Prefix);
  }

  // ---- all that was called before ------------------------------------------------------------------

  /**
   * Resolves once all that was called before is committed.
   *
   * @throws the first failure of a call whose promise had resolved, if no `flush` has told it; else the first one of a call
   *   that was pending; `closed`; what `ready` fails with, if the database could not be opened
   */
  async flush(): Promise<void> {
    if (this.#closing !== undefined) throw this.#error('flush');
    const opening = this.#openFailure();
    const { place, before } = await this.#queue.barrier(this.#member);
    const failure =
      this.#member.failures.toldTo(place, before) ??
      // a call that was carried out has opened it, whatever came of the attempt before
      (this.#member.wasOpened ? this.#queue.refusalOf('flush') : await opening);
    if (failure !== undefined) throw failure;
  }

  /**
   * Blocks the thread until all that was called before is committed.
   *
   * @param TimeoutMs - milliseconds to wait at most; without it, as long as it takes
   * @returns whether it got there: false if the time has run out, or one of the calls has failed
   * @throws SDS_PersistenceError `invalid-argument` for a wrong time, `closed` after `close()`
   */
  flushSync(TimeoutMs: number = Number.POSITIVE_INFINITY): boolean {
    const isTime = typeof TimeoutMs === 'number' && TimeoutMs >= 0;
    const fault = isTime ? undefined : `TimeoutMs must be a number of milliseconds, not ${describe(TimeoutMs)}`;
    if (fault !== undefined || this.#closing !== undefined) throw this.#error('flushSync', fault);
    const { last } = this.#member.failures;
    const finished = this.#worker.dispatcher.block(() => this.#queue.finished, TimeoutMs);
    const { last: after, unheard } = this.#member.failures;
    const isStored = finished && this.#queue.refusalOf('flushSync') === undefined && this.#queue.finished;
    tellNoted();
    return isStored && after === last && unheard === undefined;
  }

  /**
   * Waits for all that was called before, then releases the database; with the last provider on a
   * file, the file is closed and no `-wal` and `-shm` are left. Calling it again is the same call.
   * Every other call after it rejects with `closed`.
   *
   * @throws once all is released: the first failure of a call whose promise had resolved, if no `flush` has told it
   */
  close(): Promise<void> {
    if (this.#closing === undefined) needStack(); // else it would count as closed, and be halfway
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    unclosed.unregister(this);
    const { failure } = await this.#attachment.release();
    this.#isClosed = true;
    if (this.#member.failures.unheard !== undefined) throw this.#member.failures.unheard.error;
    if (failure !== undefined) throw reviveError(failure, 'close', this.#queue.dbPath);
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Copies the file into another while providers go on writing it: all that was called before on this provider, and
   * of every store a prefix of what was called since. See `backupDatabase`.
   *
   * @throws what `flush` and `backupDatabase` fail with; `invalid-argument` for a database in memory
   */
  async backup(Path: string, Options: SDS_BackupOptions = {}): Promise<SDS_BackupResult> {
    if (this.#closing !== undefined) throw this.#error('backup');
    const { dbPath, location } = this.#queue;
    const fault =
      (location.transient && 'a database in memory has no file to copy') ||
      (location.server && 'a database on a server has no file to copy: use pg_dump, or copyStores into a file') ||
      (hasOwnLocks(location.parameters) && `${OWN_LOCKS} can't be copied while it is in use`);
    if (fault) throw makeError('invalid-argument', 'backup', dbPath, fault);
    return backupFile('backup', dbPath, targetOf(Path, 'backup', 'Path'), Options, () => this.flush());
  }

  /**
   * `'opening'` until the database was open for the first time, also between failed attempts; `'open'`; `'closing'` from the
   * call of `close()` on, `'closed'` once all is released.
   *
   * @example
   * const Provider = new SDS_DesktopPersistenceProvider('./notes.db', 'my-store')
   * if (Provider.status === 'opening') await Provider.ready()
   * await Provider.close()
   */
  get status(): 'opening' | 'open' | 'closing' | 'closed' {
    if (this.#closing !== undefined) return this.#isClosed ? 'closed' : 'closing';
    return this.#member.wasOpened ? 'open' : 'opening';
  }

  /** Figures of this provider, its file and its worker; asking for them looks at the sizes of the files, nothing more. */
  statistics(): SDS_Statistics {
    return statisticsOf(this.#member, this.#queue, this.#worker.figures);
  }

  /** How many patches of this provider were lost because their number was taken by other bytes. */
  get ClockCollisions(): number {
    return this.#member.collisions;
  }

  /** What it resolves with is the operation's to say. */
  #write<T>(
    operation: WriteOperation,
    fault?: string,
    key = '',
    clock = 0,
    data?: Uint8Array | Parcel,
    takeOver = false,
  ): Promise<T> {
    if (fault !== undefined || this.#closing !== undefined) {
      if (typeof key === 'string') {
        this.#member.refused({ operation, key: key.toWellFormed() }, this.#error(operation, fault));
      }
      return this.#refuse(operation, fault, data);
    }
    const call = { member: this.#member, operation, key: key.toWellFormed(), clock };
    const promise = this.#queue.addWrite(call, data, takeOver);
    if (isExiting()) drainAtExit([this.#worker]);
    tellNoted();
    return promise as Promise<T>;
  }

  #load<T>(operation: LoadOperation, fault?: string, key = '', clock = 0): Promise<T> {
    if (fault !== undefined || this.#closing !== undefined) return this.#refuse(operation, fault);
    const call = { member: this.#member, operation, key: key.toWellFormed(), clock };
    const load = () => this.#queue.addLoad(call) as Promise<T>;
    const promise = this.#attachment.mayComeFree ? this.#onceOwned(load) : load();
    tellNoted();
    return promise;
  }

  /** A load before the store was ever this process's: what another one still writes belongs to it, so it waits for that. */
  async #onceOwned<T>(load: () => Promise<T>): Promise<T> {
    try {
      return await load();
    } catch (error) {
      if ((error as SDS_PersistenceError).code !== 'fenced' || !this.#attachment.mayComeFree) throw error;
      const report = await this.#attachment.outcome();
      if (report.failure !== undefined || this.#closing !== undefined) throw error;
      return load();
    }
  }

  /** A bad argument; on a closed provider that it is closed says more. The mark of `transfer` was for this call alone. */
  #refuse(name: string, fault?: string, data?: unknown): Promise<never> {
    if (types.isUint8Array(data)) takeMark(data);
    return Promise.reject(this.#error(name, fault));
  }

  #error(call: string, fault?: string): SDS_PersistenceError {
    const { dbPath } = this.#queue;
    if (this.#closing !== undefined) return makeError('closed', call, dbPath);
    return makeError('invalid-argument', call, dbPath, fault);
  }
}

/** A machine that has no room for another thread's memory says so with errors of its own. */
function open(location: Location, settings: ProviderSettings): OpenFile {
  try {
    return openFile(location, settings.MaxPendingBytes);
  } catch (error) {
    if (error instanceof SDS_PersistenceError) throw error;
    throw makeError('open-failed', 'constructor', location.path, 'no worker thread could be set up', error);
  }
}

/** One that the program lets go without closing it is closed once it is collected, like a connection of SQLite. */
const unclosed = new FinalizationRegistry((attachment: Attachment) => void attachment.release());

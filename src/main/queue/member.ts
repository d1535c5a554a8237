/** A provider as its file sees it: the store it speaks for, and what became of its calls. */
import type { LoadOperation, Operation, WriteOperation } from '../../protocol/entries.ts';
import type { SDS_PersistenceError } from '../../protocol/errors.ts';
import { FailedSaves } from '../../protocol/failed-saves.ts';
import type { ProviderSettings } from '../../protocol/options.ts';
import type { Report } from '../../protocol/service.ts';
import { looksLikeSha256 } from '../../protocol/sha-256.ts';
import { soon } from '../../protocol/surroundings.ts';
import { tell } from '../observe/channels.ts';
import { warnOfCollision, warnOfFailure } from '../observe/warnings.ts';
import { Failures } from './failures.ts';
import type { Store } from './store.ts';

/** A sync engine awaits these between reading its state and using it; never a patch, which can stand for its commit. */
const mayBeQueued: ReadonlySet<Operation> = new Set(['saveSnapshot', 'prunePatches', 'saveValue', 'releaseValue']);

interface Call<O extends Operation> {
  readonly member: Member;
  readonly operation: O;
  /** '' and 0 where the operation has none. */
  readonly key: string;
  readonly clock: number;
}

export type WriteCall = Call<WriteOperation>;
export type LoadCall = Call<LoadOperation>;

/** One promise, and what it takes to settle it. Patches of one provider in one batch share one. */
export interface Settler {
  call: WriteCall;
  resolve(value: unknown): void;
  reject(error: SDS_PersistenceError): void;
  /** Of a snapshot: told whether it is stored. */
  ended?: (isStored: boolean) => void;
  /** Whether the promise had resolved at the call. */
  isAcknowledged: boolean;
  /** Of a compaction: whether it left the store as it is. Of a release: whether it was refused, because the save before it had failed. */
  hadNoEffect?: boolean;
}

/** What a provider has to know of the batch of a write that has failed. */
interface Place {
  readonly number: number;
  readonly place: number;
  readonly heard: number;
}

let lastId = 0;

export class Member {
  /** Its number among the providers of this thread. */
  readonly id = ++lastId;
  readonly dbPath: string;
  readonly storeId: string;
  readonly settings: ProviderSettings;
  /** What its URL, or the environment, says to a server; another provider of the same database may have another one. */
  password: string | undefined;
  /** Patches lost because their number was taken by other bytes. */
  collisions = 0;
  /** Writes that were refused for want of room. */
  refusedWrites = 0;
  /** Promises of patches that were rejected: refused likewise, or because these could not be stored. */
  rejectedAppends = 0;
  readonly failures = new Failures();
  /** What all providers of its store have in common. */
  readonly store: Store;
  /** Patches that were appended to the store before this provider came, and by it since. */
  readonly #appendsBefore: number;
  #appends = 0;
  /** Whether another process has taken its store, and that is told. */
  #isFenced = false;
  /** Whether its database was ever open, by an attempt or by a write: before that, a failure to open is each call's. */
  wasOpened = false;
  /** Whether anything was found in its store, or stored: on a full disk, a database may be read that can't be opened. */
  wasServed = false;
  /** Why the last snapshot was not stored, if so; and the batch of which the program hears, unless its promise had resolved. */
  snapshotFailure: { failure: SDS_PersistenceError; batch: number | undefined } | undefined;
  /** Why saves were refused, and how often, as long as the program does not know: by what would rely on them. */
  readonly #refusedSaves = new Map<string, { times: number; error: SDS_PersistenceError }>();
  readonly failedSaves = new FailedSaves<SDS_PersistenceError>();
  /** Methods that failed and have not succeeded since. */
  readonly #failing = new Set<Operation>();
  /** Who waits for an attempt to open its database, and, once it goes, for the worker to forget it. */
  readonly onAttach: ((report: Report) => void)[] = [];
  onDetach: ((report: Report) => void) | undefined;

  constructor(dbPath: string, store: Store, storeId: string, settings: ProviderSettings) {
    this.dbPath = dbPath;
    this.store = store;
    this.#appendsBefore = store.appends;
    this.storeId = storeId;
    this.settings = settings;
  }

  /** Whether a patch is to be stored under another number, if its own is taken by other bytes. */
  get keepsBoth(): boolean {
    const { OnClockCollision } = this.settings;
    if (OnClockCollision !== 'keep-concurrent') return OnClockCollision === 'keep';
    // another provider has appended while this one was open: neither can know the other's numbers
    return this.store.appends - this.#appendsBefore !== this.#appends;
  }

  appended(clock: number): void {
    this.#appends++;
    this.store.appended(clock);
  }

  collided(): void {
    this.collisions++;
    warnOfCollision(this.dbPath, this.storeId, this.collisions);
  }

  /** Whether the promise of this call resolves at once; see the option `Acknowledge`. */
  acknowledgesQueued({ operation, key }: WriteCall): boolean {
    const { Acknowledge, VerifyValues } = this.settings;
    if (Acknowledge !== 'queued' || !mayBeQueued.has(operation)) return false;
    // the worker finds out whether the argument was right
    if (operation === 'saveValue' && VerifyValues && looksLikeSha256(key)) return false;
    return this.wasOpened && !this.#failing.has(operation);
  }

  /** Told of a snapshot that is called, and by what its end is told: what is called meanwhile is kept from prunes. */
  snapshotCalled(settler: Settler): void {
    const { call, isAcknowledged } = settler;
    const { clock } = call;
    this.#refusedSaves.delete('prunePatches ');
    if (clock === 0) return; // it is not known what it has
    const { store } = this;
    let begun = false;
    let ended = false;
    const begin = () => {
      if (ended) return;
      begun = true;
      store.snapshotBegan();
    };
    settler.ended = (isStored) => {
      ended = true;
      if (!isAcknowledged) void store.snapshotSettles();
      store.snapshotEnded(clock, isStored, begun);
    };
    if (isAcknowledged) return; // nothing is called meanwhile
    if (this.settings.Acknowledge === 'committed') begin();
    // as with a promise that resolves at once: only what follows the present run of the program comes meanwhile
    else void soon(begin);
  }

  /** Behind a save, a prune or a release that is called before the program hears of it would delete what is in no snapshot, or is another entry's. */
  refused({ operation, key }: Pick<WriteCall, 'operation' | 'key'>, error: SDS_PersistenceError): void {
    if (operation !== 'saveSnapshot' && operation !== 'saveValue') return;
    const name = `${operation === 'saveSnapshot' ? 'prunePatches' : 'releaseValue'} ${key}`;
    const refused = this.#refusedSaves.get(name) ?? { times: 0, error };
    refused.times++;
    this.#refusedSaves.set(name, refused);
    void soon(() => this.#forget(name, refused));
  }

  /** Why a prune or a release would be unfounded, if the program does not know yet. Each release is that of one save. */
  refusalBefore({ operation, key }: WriteCall): SDS_PersistenceError | undefined {
    if (this.#refusedSaves.size === 0) return undefined;
    const name = `${operation} ${key}`;
    const refused = this.#refusedSaves.get(name);
    if (refused !== undefined && operation === 'releaseValue') this.#forget(name, refused);
    return refused?.error;
  }

  #forget(name: string, refused: { times: number }): void {
    if (--refused.times <= 0 && this.#refusedSaves.get(name) === refused) this.#refusedSaves.delete(name);
  }

  /** An attempt to open its database has ended. */
  attached(report: Report): void {
    if (report.failure === undefined) this.wasOpened = true;
    for (const tell of this.onAttach.splice(0)) tell(report);
  }

  /** Whether its store was this process's at some time; it may be claimed by a call after an opening that failed. */
  get wasOwned(): boolean {
    return this.wasOpened || this.wasServed;
  }

  loaded(): void {
    this.wasServed = true;
    this.#isFenced = false;
  }

  /** A write is committed. */
  succeeded(operation: Operation): void {
    this.loaded();
    this.wasOpened = true;
    if (operation === 'appendPatch') return;
    this.#failing.delete(operation);
    if (operation === 'saveSnapshot') this.snapshotFailure = undefined;
  }

  /** @param isUnheard - whether its promise had resolved: that must not go unnoticed */
  failed(operation: Operation, error: SDS_PersistenceError, place: number, isUnheard = false): void {
    this.failures.add(error, place, isUnheard);
    if (error.code === 'fenced' && this.wasOpened && !this.#isFenced) {
      this.#isFenced = true;
      tell('fenced', { Path: this.dbPath, StoreId: this.storeId, Message: error.message });
    }
    this.#failing.add(operation);
    if (isUnheard) warnOfFailure(this.dbPath, this.storeId, error);
  }

  writeFailed({ call, isAcknowledged, hadNoEffect }: Settler, failure: SDS_PersistenceError, at: Place): void {
    const { operation, key } = call;
    this.failed(operation, failure, at.place, isAcknowledged);
    const batch = isAcknowledged ? undefined : at.number;
    if (operation === 'appendPatch') this.rejectedAppends++;
    else if (operation === 'saveSnapshot') this.snapshotFailure = { failure, batch };
    else if (operation === 'saveValue') this.failedSaves.add({ key, failure, batch }, at.heard);
    else if (operation === 'releaseValue' && (isAcknowledged || hadNoEffect)) this.failedSaves.released(key);
  }
}

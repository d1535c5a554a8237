/** The storage of automerge-repo: each of its chunks is a record of one store. */
import { readStorageOptions, Trouble } from '../documents/index.ts';
import { faultOfBytes } from '../main/arguments.ts';
import { SDS_DesktopPersistenceProvider, type SDS_PersistenceError } from '../main/index.ts';
import type { StorageOptions } from '../protocol/document-options.ts';
import { serverDefaults } from '../protocol/options.ts';
import { isPostgresqlUrl } from '../protocol/postgresql/url.ts';
import { nextTurn, Promise } from '../protocol/surroundings.ts';
import { partsOf, textOf } from './keys.ts';
import { RepeatedWrites } from './repeated-writes.ts';

export interface AutomergeRepoStorageOptions extends StorageOptions {
  /** Under which name the chunks lie in the database, beside others. Default 'automerge-repo'. */
  store?: string;
  /**
   * On PostgreSQL: whether several processes may have the storage open (`'shared'`, default: chunks of a document are
   * never changed; of the others the last one counts), or one, which the server enforces (`'exclusive'`).
   */
  ownership?: 'exclusive' | 'shared';
  /**
   * Called when something can't be stored, for instance on a full disk, with the first part of its key, which is the document's id.
   * It is then tried again until it is stored, and `save`, `remove` and `removeRange` wait for that, in their order. Without it
   * they reject, by which automerge-repo 2.5 ends the process.
   */
  onError?: (error: SDS_PersistenceError, documentId: string) => void;
}

/** As automerge-repo names things: texts, the first of which is mostly the id of a document. */
type StorageKey = string[];

/**
 * Stores the documents of an automerge-repo in an SQLite file or a PostgreSQL database, by a worker thread: an implementation of
 * its `StorageAdapterInterface`.
 *
 * Calls take effect in the order in which they are made, and each is stored whole or not at all. Promises reject with an
 * `SDS_PersistenceError`: `invalid-argument`, `closed`, and all that a provider's calls can fail with but `queue-full`: what has
 * no room waits for it.
 *
 * @example
 * import { Repo } from '@automerge/automerge-repo'
 * import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo'
 * const storage = new AutomergeRepoStorage('./repo.db')
 * const repo = new Repo({ storage })
 * const handle = repo.create({ text: 'hello' })
 * await repo.flush()
 * await storage.close()
 */
export class AutomergeRepoStorage {
  readonly #provider: SDS_DesktopPersistenceProvider;
  readonly #trouble: Trouble;
  /** None where a call is neither refused for want of room nor to be tried again: it costs a copy of the bytes, and some time. */
  readonly #repeated: RepeatedWrites | undefined;
  /** Under way. */
  readonly #calls = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  /**
   * @param database - the path of an SQLite file, which is made if it is not there, or a `postgres://` URL
   * @throws SDS_PersistenceError `invalid-argument`, `open-failed`; what is only found by opening it, the first call says
   */
  constructor(database: string, options: AutomergeRepoStorageOptions = {}) {
    const { provider, onError, own } = readStorageOptions<{ store?: string }>(options, ownOptions);
    const { store = 'automerge-repo' } = own;
    this.#provider = new SDS_DesktopPersistenceProvider(database, store, { Ownership: 'shared', ...provider });
    this.#trouble = new Trouble(this.#provider.statistics().Path, onError);
    const { Overflow } = { ...(isPostgresqlUrl(database) ? serverDefaults : {}), ...provider };
    const repeats = onError !== undefined;
    if (repeats || Overflow === 'reject') this.#repeated = new RepeatedWrites(repeats, this.#provider);
  }

  /** Loads the bytes under a key, which belong to the caller; `undefined` if there are none. */
  async load(key: StorageKey): Promise<Uint8Array | undefined> {
    const text = textOf(key);
    return this.#underWay(this.#provider.loadRecord(text));
  }

  /**
   * Loads all whose key begins with these parts (`[]`: all), in the order in which they were first saved. Their bytes belong to the
   * caller, and share buffers: none of these is to be transferred.
   */
  async loadRange(keyPrefix: StorageKey): Promise<{ key: StorageKey; data: Uint8Array }[]> {
    const text = textOf(keyPrefix);
    const records = await this.#underWay(this.#provider.loadRecords(text));
    return records.map(({ Key, Data }) => ({ key: partsOf(Key), data: Data }));
  }

  /**
   * Stores bytes under a key, in place of those that are there.
   *
   * @param data - copied before the call returns
   * @returns once it is committed
   */
  async save(key: StorageKey, data: Uint8Array): Promise<void> {
    const text = textOf(key);
    // what may be stored later, when the caller's bytes are others
    const bytes =
      this.#repeated !== undefined && faultOfBytes(data, 'data') === undefined ? new Uint8Array(data) : data;
    return this.#write(key, () => this.#provider.saveRecord(text, bytes));
  }

  /** Removes what is under a key; nothing there is no error. Resolves once it is committed. */
  async remove(key: StorageKey): Promise<void> {
    const text = textOf(key);
    return this.#write(key, () => this.#provider.removeRecord(text));
  }

  /** Removes all whose key begins with these parts (`[]`: all). Resolves once it is committed. */
  async removeRange(keyPrefix: StorageKey): Promise<void> {
    const text = textOf(keyPrefix);
    return this.#write(keyPrefix, () => this.#provider.removeRecords(text));
  }

  #write([documentId = '']: StorageKey, call: () => Promise<void>): Promise<void> {
    const tell = (error: SDS_PersistenceError) => this.#trouble.tell('write', documentId, error);
    return this.#underWay(this.#repeated?.add(call, tell) ?? call());
  }

  async #underWay<T>(called: Promise<T>): Promise<T> {
    this.#calls.add(called);
    try {
      return await called;
    } finally {
      this.#calls.delete(called);
    }
  }

  /**
   * Waits for all that was called before, and for what the repo calls directly after that (it removes a document in three
   * steps), then releases the database. What `onError` was told of is tried once more, and rejects if it is still not stored.
   * Every call after that rejects with `closed`. A repo saves with a delay: `await repo.flush()` comes first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#repeated?.close();
    do {
      await Promise.allSettled(this.#calls);
      await nextTurn(); // by which whoever waited has gone on
    } while (this.#calls.size > 0);
    await this.#provider.close();
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const ownOptions = { store: { what: 'a string', test: (value: unknown) => typeof value === 'string' } };

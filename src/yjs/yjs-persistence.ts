/** Documents of Yjs on SQLite or PostgreSQL. */
import { Documents, readDocumentOptions, refusal, urlOf } from '../documents/index.ts';
import { faultOfBytes } from '../main/arguments.ts';
import { SDS_PersistenceError } from '../main/index.ts';
import type { DocumentOptions } from '../protocol/document-options.ts';
import { Promise } from '../protocol/surroundings.ts';
import type { YjsDoc } from '../protocol/yjs.ts';
import { Binding } from './binding.ts';
import { faultAtFirstSight } from './fault-of-update.ts';
import { YjsMerging } from './merging.ts';
import { applyAll } from './stored-document.ts';
import { type YjsOptions, yjsOptions } from './yjs-options.ts';

/** With what the keys of metas begin, as records of a document's store. */
const META = 'meta:';

/** It is compiled when it is first asked for. */
const v8 = () => process.getBuiltinModule('node:v8');

/** `Y` is not left out. */
type OwnOptions<Doc> = YjsOptions<Doc> & Required<Pick<YjsOptions<Doc>, 'Y'>>;

export type YjsPersistenceOptions<Doc extends YjsDoc> = OwnOptions<Doc> & DocumentOptions;

/**
 * Keeps documents of Yjs in an SQLite file, or a PostgreSQL database: for `setPersistence` of `y-websocket` and
 * `@y/websocket-server`, with the methods of `y-leveldb`, and for documents without any server. A document is a store of the
 * database, under its name.
 *
 * Nothing of an update is waited for: it is committed within some milliseconds. What was called is committed before the process
 * ends, but for SIGKILL, a signal that nobody handles, and a crash.
 *
 * @example
 * import * as Y from 'yjs'
 * import { YjsPersistence } from 'sds-persistence-worker/yjs'
 * const persistence = new YjsPersistence('./documents.db', { Y })
 * const doc = new Y.Doc()
 * await persistence.bindState('notes', doc)
 * doc.getText('text').insert(0, 'Hello')
 * await persistence.destroy()
 */
export class YjsPersistence<Doc extends YjsDoc> {
  /** Itself, where `setPersistence` wants to know it. */
  readonly provider = this;
  readonly #gc: boolean;
  readonly #merging: YjsMerging<Doc>;
  readonly #documents: Documents;
  /** By their names. Those that are leaving as well, until they are stored. */
  readonly #bindings = new Map<string, readonly Binding<Doc>[]>();
  /** By whom a document is bound, or was bound last. */
  readonly #last = new WeakMap<Doc, Binding<Doc>>();

  /**
   * @param database - the path of an SQLite file, which is made if it is not there, or a `postgres://` URL
   * @throws SDS_PersistenceError `invalid-argument`; `open-failed` for a relative path without a working directory. What else
   *   may be wrong with a file, calls tell
   */
  constructor(database: string, options: YjsPersistenceOptions<Doc>) {
    const settings = readDocumentOptions<OwnOptions<Doc>>(options, yjsOptions, 'Y');
    const { Y, yjs, gc = true } = settings.own;
    this.#gc = gc;
    this.#merging = new YjsMerging(Y, urlOf(yjs), settings.limits, () => this.#documents.trouble);
    this.#documents = new Documents(database, settings, this.#merging.of(gc));
  }

  // ---- for servers ----------------------------------------------------------------------------------

  /**
   * Resolves once the database is open. Nobody has to wait for it: each call tries anew; but a server that does so first does
   * not begin to serve what it can't store.
   *
   * @throws SDS_PersistenceError `open-failed`, `schema-mismatch` and the like
   */
  ready(): Promise<void> {
    return this.#documents.anchor.ready();
  }

  /**
   * Applies what is stored of a document to it, and stores each change of it from now on, also before that is loaded. What it has already is
   * stored, too. Changes that come from the database have this object as their origin. A document that is destroyed is released.
   *
   * @returns once what is stored is applied, as `whenLoaded` of the document. Nobody needs to wait for it: a failure is told by `onError` or a warning, and loading is
   *   tried again
   * @throws SDS_PersistenceError what a load fails with; `invalid-argument` for a document of another Yjs, or one that is bound by
   *   another name; `closed`. What an observer of the document throws, as it is
   */
  bindState(name: string, doc: Doc): Promise<void> {
    try {
      const binding = this.#boundBy(doc) ?? this.#bind(name, doc);
      if (binding.log.name === name) return binding.log.restored ?? this.#begin(binding);
      const bound = JSON.stringify(binding.log.name);
      throw refusal('bindState', name, `this document is bound as ${bound}: writeState releases it`);
    } catch (error) {
      return this.#documents.refused('load', name, error as SDS_PersistenceError); // servers don't listen
    }
  }

  #bind(name: string, doc: Doc): Binding<Doc> {
    if (!(doc instanceof this.#merging.Y.Doc)) {
      throw refusal('bindState', name, 'this is no document of the Yjs that was given as the option Y');
    }
    const opening = { name, doc, documents: this.#documents, merging: this.#merging, origin: this };
    const destroyed = () => void this.#release(binding, false);
    const binding: Binding<Doc> = new Binding(opening, () => this.#bound(name), destroyed);
    const other = this.#boundBy(doc); // by a subscriber, who was told that the store of this one is being opened
    this.#bindings.set(name, [...this.#named(name), binding]);
    if (other === undefined) this.#last.set(doc, binding);
    else destroyed();
    for (const one of this.#named(name)) if (one.isLeaving) one.heirCame();
    return other ?? binding;
  }

  #begin(binding: Binding<Doc>): Promise<void> {
    const restored = binding.begin();
    void restored.catch((error: unknown) => {
      if (!binding.isLeaving) this.#documents.trouble.tell('load', binding.log.name, error);
    });
    return restored;
  }

  #boundBy(doc: Doc): Binding<Doc> | undefined {
    const last = this.#last.get(doc);
    return last?.isLeaving ? undefined : last;
  }

  /**
   * Releases a document, once all of it is stored. As long as that fails, it is tried again; if the document is bound anew
   * under its name meanwhile, that one takes its state over. The process lives on for that, unless no time helps (`open-failed`,
   * `schema-mismatch`, `database-corrupt`).
   *
   * @returns once it is released; it never rejects: servers don't listen. What `destroy` could not store, and what is changed after
   *   that, is told by `onError` or a warning
   */
  async writeState(_name: string, doc: Doc): Promise<void> {
    const binding = this.#last.get(doc);
    if (binding !== undefined) await this.#release(binding, true);
  }

  /** Calling it again is the same call. */
  async #release(binding: Binding<Doc>, isWaitedFor: boolean): Promise<void> {
    await Promise.allSettled([binding.leave(isWaitedFor)]); // what it fails with is told by its log, or by `destroy`
    const others = this.#named(binding.log.name).filter((other) => other !== binding);
    if (others.length > 0) this.#bindings.set(binding.log.name, others);
    else this.#bindings.delete(binding.log.name);
  }

  #named(name: string): readonly Binding<Doc>[] {
    return this.#bindings.get(name) ?? [];
  }

  /** Not one that is leaving as well: it may be released before it has stored what it is given. */
  #bound(name: string): Binding<Doc> | undefined {
    return this.#named(name).find((binding) => !binding.isLeaving);
  }

  // ---- as y-leveldb has it --------------------------------------------------------------------------

  /**
   * What is stored of a document, as a new one, which is not bound: empty if nothing is.
   *
   * @throws SDS_PersistenceError, as the methods that follow: what the provider's loads and writes fail with; `closed`
   */
  async getYDoc(name: string): Promise<Doc> {
    const updates = await this.#documents.use(name, (log) => log.load());
    const doc = new this.#merging.Y.Doc({ gc: this.#gc });
    const { trouble } = this.#documents;
    applyAll(this.#merging.Y, doc, updates, this, (error) => trouble.tell('merge', name, trouble.about(name, error)));
    return doc;
  }

  /**
   * Stores an update of a document. Nobody has to wait for the promise: a failure is told by `onError` or a warning anyway.
   *
   * @param update - of version 1; copied before the call returns
   * @returns once it is committed
   * @throws SDS_PersistenceError `invalid-argument` also if it is of version 2, or has no bytes
   */
  storeUpdate(name: string, update: Uint8Array): Promise<void> {
    return this.#documents.append('storeUpdate', name, update, faultAtFirstSight);
  }

  /** The state vector of what is stored of a document: that of an empty one if nothing is. */
  async getStateVector(name: string): Promise<Uint8Array> {
    return (await this.#documents.use(name, (log) => log.compute('stateVector'))).bytes;
  }

  /**
   * What is stored of a document, but not in the state of such a state vector, as an update.
   *
   * @param stateVector - copied before the call returns
   * @throws SDS_PersistenceError `invalid-argument`, also if it is no state vector
   */
  async getDiff(name: string, stateVector: Uint8Array): Promise<Uint8Array> {
    const fault = faultOfBytes(stateVector, 'stateVector');
    if (fault !== undefined) throw refusal('getDiff', name, fault);
    const own = Uint8Array.from(stateVector);
    try {
      this.#merging.Y.encodeStateAsUpdate(new this.#merging.Y.Doc(), own);
    } catch (error) {
      throw refusal('getDiff', name, `stateVector is no state vector of Yjs (${(error as Error).message})`, error);
    }
    return (await this.#documents.use(name, (log) => log.compute('diff', own))).bytes;
  }

  /**
   * Merges all that is stored of a document, now; that is done anyway from time to time.
   *
   * @returns once that is committed, or was given up because another process has changed the document meanwhile
   */
  async flushDocument(name: string): Promise<void> {
    const bound = this.#bound(name);
    try {
      await bound?.log.compact();
    } catch (error) {
      if (!bound?.isLeaving) throw error;
    }
    // one that is left meanwhile may be closed before it is merged
    if (bound === undefined || bound.isLeaving) await this.#documents.use(name, (log) => log.compact());
  }

  /**
   * Deletes a document and its metas. If it is bound, it stays as it is in memory: once it is changed after that, all of it
   * is stored again. Resolves once that is committed.
   */
  async clearDocument(name: string): Promise<void> {
    // one that is left, and not stored yet, would be stored after that
    const named = this.#named(name).filter((binding) => binding.log.mayStore);
    if (named.length === 0) return this.#documents.log(name).removeStored();
    await Promise.all(named.map((binding) => binding.removeStored()));
  }

  /** Stores a value beside a document: whatever `structuredClone` takes, copied before the call returns. Resolves once it is committed. */
  async setMeta(name: string, key: string, value: unknown): Promise<void> {
    let bytes: Uint8Array;
    try {
      bytes = v8().serialize(value);
    } catch (error) {
      throw refusal(
        'setMeta',
        name,
        `the value of ${JSON.stringify(key)} can not be stored (${(error as Error).message})`,
        error,
      );
    }
    await this.#documents.use(name, (log) => log.provider.saveRecord(META + key, bytes));
  }

  /**
   * A value that is stored beside a document; `undefined` if there is none.
   *
   * @throws SDS_PersistenceError `database-corrupt` also if something else has written it: another runtime, or a later Node
   */
  async getMeta(name: string, key: string): Promise<unknown> {
    const bytes = await this.#documents.use(name, (log) => log.provider.loadRecord(META + key));
    return bytes === undefined ? undefined : this.#valueOf(name, key, bytes);
  }

  #valueOf(name: string, key: string, bytes: Uint8Array): unknown {
    try {
      return v8().deserialize(bytes);
    } catch (cause) {
      const message = `the value of ${JSON.stringify(key)} can not be read by this program (${(cause as Error).message})`;
      throw this.#documents.trouble.about(name, new SDS_PersistenceError('database-corrupt', message, { cause }));
    }
  }

  /** Deletes a value that is stored beside a document; none is no error. Resolves once that is committed. */
  async delMeta(name: string, key: string): Promise<void> {
    await this.#documents.use(name, (log) => log.provider.removeRecord(META + key));
  }

  /** All values that are stored beside a document, by their keys, in the order in which these were first stored. */
  async getMetas(name: string): Promise<Map<string, unknown>> {
    const records = await this.#documents.use(name, (log) => log.provider.loadRecords(META));
    return new Map(
      records.map(({ Key, Data }) => {
        const key = Key.slice(META.length);
        return [key, this.#valueOf(name, key, Data)];
      }),
    );
  }

  /** The names of all documents of which anything is stored, if only metas, in the order of their UTF-8 bytes. */
  getAllDocNames(): Promise<string[]> {
    return this.#documents.anchor.listStores();
  }

  /** The names of all documents, the state vector of each, and the index of its last update, from 0 on since it was compacted. */
  async getAllDocStateVectors(): Promise<{ name: string; sv: Uint8Array; clock: number }[]> {
    const found: { name: string; sv: Uint8Array; clock: number }[] = [];
    for (const name of await this.getAllDocNames()) {
      const { bytes, updates } = await this.#documents.use(name, (log) => log.compute('stateVector'));
      found.push({ name, sv: bytes, clock: updates - 1 });
    }
    return found;
  }

  /** Deletes all documents of the database, and those of which something waits to be stored. */
  async clearAll(): Promise<void> {
    const open = [...this.#bindings.keys()];
    const names = new Set([...open, ...(await this.getAllDocNames())]);
    await Promise.all([...names].map((name) => this.clearDocument(name)));
  }

  /**
   * Stores what is to be stored, and releases the database. Calling it again is the same call; every other one after it rejects
   * with `closed`.
   *
   * @throws SDS_PersistenceError once all is released: the first failure, with the name of its document. Of each that is not stored it is told as well
   */
  destroy(): Promise<void> {
    return this.#documents.closeAll(() => {
      const bindings = [...this.#bindings.values()].flat();
      this.#bindings.clear();
      return new Map(bindings.map((binding) => [binding.log, binding.leaveNow()]));
    });
  }

  /** The same as `destroy()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }
}

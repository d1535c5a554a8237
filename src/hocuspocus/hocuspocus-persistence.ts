/** Documents of Hocuspocus on SQLite or PostgreSQL. */
import type { CompactedLog, Merging } from '../documents/index.ts';
import { Documents, keptAliveFor, readDocumentOptions, refusal, urlOf } from '../documents/index.ts';
import { faultOfBytes } from '../main/arguments.ts';
import { SDS_PersistenceError } from '../main/index.ts';
import { type Acceptance, describe, oneOf } from '../main/option-checks.ts';
import type { DocumentOptions } from '../protocol/document-options.ts';
import { discard } from '../protocol/parcel.ts';
import { nextTurn, Promise } from '../protocol/surroundings.ts';
import type { YjsDoc, YjsModule } from '../protocol/yjs.ts';
import { faultAtFirstSight, faultOfUpdate } from '../yjs/fault-of-update.ts';
import { YjsMerging } from '../yjs/merging.ts';
import { type YjsOptions, yjsOptions } from '../yjs/yjs-options.ts';
import { behindAll, refuseReplaced } from './behind-all.ts';
import type { DocumentPayload, HocuspocusServer, HttpServer } from './hocuspocus.ts';
import { OpenDocument } from './open-document.ts';
import { type FindMerging, serverMerging } from './server-yjs.ts';

/** The end of a server waits this long for documents that it is loading, or has just loaded. */
const MOST_WAITED_MS = 3000;

interface OwnOptions extends YjsOptions<YjsDoc> {
  /** The module `yjs` of the server. Without it, the one that has made its documents is looked for. */
  Y?: YjsModule<YjsDoc>;
  /** The path of an SQLite file, which is made if it is not there, or a `postgres://` URL. */
  database: string;
}

/**
 * `Y` is needed only where the server's own Yjs is not to be found: in a program that is bundled. `ownership: 'shared'`
 * also says that servers which exchange changes by Redis have one database.
 */
export type HocuspocusPersistenceOptions = OwnOptions & DocumentOptions;

/**
 * Keeps the documents of a Hocuspocus server in an SQLite file, or a PostgreSQL database: an extension, which takes the place
 * of `@hocuspocus/extension-sqlite` or `@hocuspocus/extension-database`. A document is a store of the database, under its name.
 *
 * Each change is stored as it comes, and is committed within some milliseconds; never is the whole document encoded for that.
 * What was changed is committed before the process ends, but for SIGKILL, a signal that nobody handles, and a crash.
 *
 * @example
 * import { Server } from '@hocuspocus/server'
 * import { HocuspocusPersistence } from 'sds-persistence-worker/hocuspocus'
 * const server = new Server({
 *   port: 1234,
 *   quiet: true,
 *   extensions: [new HocuspocusPersistence({ database: './documents.db' })],
 * })
 * await server.listen()
 * await server.destroy()
 */
export class HocuspocusPersistence {
  readonly extensionName = 'sds-persistence-worker';
  /**
   * Before that of `extension-redis`, which is 1000 and skips the hooks of all that come later where another server stores a
   * document: what was changed here is stored from here.
   */
  readonly priority = 1001;
  readonly #documents: Documents;
  readonly #find: FindMerging;
  readonly #takesFromRedis: boolean;
  readonly #open = new Map<YjsDoc, OpenDocument>();
  /** Whether the file is known not to be that of another extension, as it was left. */
  #isOwn = false;
  /** Whether the server ends the extensions. */
  #isEnding = false;
  /** That has listened: the server begins its end by closing it, and ends the extensions once it has no document. */
  #httpServer: HttpServer | undefined;

  /**
   * @throws SDS_PersistenceError `invalid-argument`; `open-failed` for a relative path without a working directory. What else
   *   may be wrong with a file, `listen` of the server tells, and each load
   */
  constructor(options: HocuspocusPersistenceOptions) {
    const settings = readDocumentOptions<OwnOptions>(options, ownOptions, 'database');
    const { database, Y, yjs, gc = true } = settings.own;
    this.#takesFromRedis = settings.provider.Ownership !== 'shared';
    const trouble = () => this.#documents.trouble;
    this.#find = serverMerging(Y, (Y, url) => new YjsMerging(Y, urlOf(yjs) ?? url, settings.limits, trouble));
    const ofClosed: Merging = async (...task) => (await this.#find(undefined)).of(gc)(...task);
    this.#documents = new Documents(database, settings, ofClosed);
  }

  // ---- hooks of the server --------------------------------------------------------------------------

  /**
   * Has `listen` of a server whose database can't be opened reject. Its port is open by then: `server.destroy()` closes it.
   *
   * @throws SDS_PersistenceError `open-failed`, `schema-mismatch` and the like: that also if the file holds documents of
   *   `@hocuspocus/extension-sqlite`, and none of this extension (`importFromSqlite`)
   */
  onListen({ instance }: { instance?: HocuspocusServer } = {}): Promise<void> {
    // server.destroy() begins with that, and then waits for documents that are not stored, of which it tells nobody
    this.#httpServer = instance?.server?.httpServer;
    this.#httpServer?.once('close', () => {
      for (const { log } of this.#open.values()) log.hurry();
    });
    return this.#refuseNotImported();
  }

  /** Each document in there would be opened empty. */
  async #refuseNotImported(): Promise<void> {
    if (this.#isOwn) return;
    const { anchor, trouble } = this.#documents;
    await anchor.ready();
    const [name] = await anchor.listNotImported();
    if (name !== undefined) {
      const holds = `holds documents of @hocuspocus/extension-sqlite (table 'documents', with ${JSON.stringify(name)})`;
      const way = 'await importFromSqlite(persistence, path), of that file, before the server listens';
      const other = 'if nothing in there is to be imported, take another file, or drop that table';
      const message = `'${trouble.database}' ${holds}, and none of this extension: ${way}; ${other}`;
      throw new SDS_PersistenceError('schema-mismatch', message);
    }
    this.#isOwn = true;
  }

  /**
   * Applies what is stored of a document to it, and stores each change of it from now on. These changes have this object
   * as their origin.
   *
   * @throws SDS_PersistenceError what a load fails with, `fenced` if the document is open on another server: it is not opened.
   *   What an observer of the document throws, as it is
   */
  async onLoadDocument(payload: DocumentPayload): Promise<void> {
    const { instance, document, documentName: name } = payload;
    const { extensions } = instance.configuration;
    if (!extensions.includes(behindAll)) extensions.push(behindAll);
    // whichever extension fails: the server drops the document without a word, and its timer goes on
    void instance.loadingDocuments.get(name)?.then(undefined, () => document.destroy());
    const merging = await this.#find(document);
    await this.#refuseNotImported();
    await this.#documents.untilClosed(name);
    if (this.#isEnding) throw this.#documents.closed();
    const opening = { name, doc: document, documents: this.#documents, merging, origin: this };
    const open = new OpenDocument(opening, this.#takesFromRedis);
    this.#open.set(document, open);
    document.on('destroy', () => this.#release(open));
    await open.begin();
    if (open.log.isClosing) throw this.#documents.closed(); // it would store no change
  }

  /**
   * Resolves once all that was changed is committed; else the server keeps the document in memory. It is tried again from
   * time to time then, and once that has succeeded the server goes on where it has stopped. What can't be stored here any more is
   * unloaded: it belongs to another server, it can not be encoded, or this extension was destroyed before this server.
   *
   * @throws SDS_PersistenceError why it could not be stored
   */
  async onStoreDocument(payload: DocumentPayload): Promise<void> {
    const { instance, document } = payload;
    const open = this.#open.get(document);
    if (open === undefined) return;
    try {
      await open.storeChanged();
    } catch (error) {
      if (this.#isLasting(open, error)) {
        instance.closeConnections(payload.documentName); // their clients go where it belongs
        // behind this hook; else they would find it as they have left it
        void nextTurn().then(() => instance.unloadDocument(document as never));
      } else {
        const tell = () => void instance.storeDocumentHooks(document as never, payload as never, true);
        void open.onceStored(tell, true);
      }
      throw this.#documents.isClosed ? destroyedBefore(payload.documentName, error) : error;
    }
  }

  /** Whether a document that could not be stored never will be, from here: it belongs elsewhere, or can't be encoded. */
  #isLasting({ log }: OpenDocument, error: unknown): boolean {
    if (this.#documents.isClosed) return true;
    if (error instanceof SDS_PersistenceError) return error.code === 'fenced';
    return !(error instanceof RangeError && log.isIncomplete); // there may be the memory to encode it when it is tried again
  }

  /**
   * As `onStoreDocument`: the server unloads no document that is not stored, but one that can't be stored here any more.
   *
   * @throws SDS_PersistenceError why it could not be stored; the server keeps it
   */
  async beforeUnloadDocument(payload: DocumentPayload): Promise<void> {
    refuseReplaced(payload); // here as well: it may throw elsewhere before all hooks are through
    const { instance, document } = payload;
    const open = this.#open.get(document);
    if (open === undefined) return;
    try {
      await open.storeAll();
    } catch (error) {
      if (this.#isLasting(open, error)) return;
      void open.onceStored(() => void instance.unloadDocument(document as never), false);
      throw error;
    }
  }

  /** Resolves once the document is released. */
  async afterUnloadDocument({ documentName }: { documentName: string }): Promise<void> {
    await this.#documents.untilClosed(documentName);
  }

  /** Sends away who comes while the server is being destroyed: it has sent away all that there were, and waits until the last one has left. */
  async connected({ instance, documentName }: Omit<DocumentPayload, 'document'>): Promise<void> {
    if (this.#isEnding || this.#httpServer?.listening === false) instance.closeConnections(documentName);
  }

  /** As `destroy()`, once those documents are unloaded that the server loads meanwhile, or has just loaded: it waits for the others alone. */
  async onDestroy({ instance }: { instance?: HocuspocusServer } = {}): Promise<void> {
    this.#isEnding = true;
    if (instance !== undefined) {
      const loads = [...instance.documents, ...instance.loadingDocuments];
      const unloaded = Promise.allSettled(loads.map(([name, loaded]) => this.#unloaded(instance, name, loaded)));
      // another extension may not have loaded its part yet, and somebody may have it open directly
      await keptAliveFor(MOST_WAITED_MS, unloaded);
    }
    try {
      await this.destroy();
    } finally {
      // those that the server has kept because they could not be stored: the timer of each would keep the process alive
      for (const document of instance?.documents.values() ?? []) void instance?.unloadDocument(document as never);
    }
  }

  async #unloaded(instance: HocuspocusServer, name: string, loaded: YjsDoc | PromiseLike<YjsDoc>): Promise<void> {
    const document = await loaded;
    const { promise: destroyed, resolve } = Promise.withResolvers<void>();
    document.on('destroy', resolve);
    await nextTurn(); // by which its clients are connected
    void instance.unloadDocument(document as never); // which waits for clients, if there are any
    instance.closeConnections(name);
    instance.flushPendingStores?.();
    await destroyed;
  }

  #release(open: OpenDocument): void {
    this.#open.delete(open.doc);
    const { isClosed, trouble } = this.#documents;
    if (!isClosed) void open.leave().catch((error: unknown) => trouble.tell('write', open.log.name, error));
  }

  // ---- for programs ---------------------------------------------------------------------------------

  /** The names of all documents of which anything is stored, in the order of their UTF-8 bytes. */
  names(): Promise<string[]> {
    return this.#documents.anchor.listStores();
  }

  /**
   * Deletes what is stored of a document. If it is open, it stays as it is in memory: once it is changed after that, all of it is
   * stored again. Clients that come back bring their own state along: refuse them (`onAuthenticate`), and close the
   * document's connections. Resolves once that is committed.
   *
   * @throws SDS_PersistenceError what a write fails with; `fenced` if the document is open on another server
   */
  async delete(name: string): Promise<void> {
    await this.#documents.untilClosed(name); // which may store it yet
    const open = [...this.#open.values()].filter((one) => one.log.name === name);
    if (open.length === 0) return this.#opened(name, (log) => log.removeStored());
    await Promise.all(open.map((one) => one.removeStored()));
  }

  /**
   * Stores the state of a document that comes from elsewhere, in one transaction.
   *
   * @param state - an update that has all of it; copied at the call
   * @param existing - what to do if something is stored under that name: leave that alone (`'skip'`, default), or add the state
   *   to it (`'merge'`), of which documents that are open see nothing until they are loaded again
   * @returns whether it was stored, once it is committed; on PostgreSQL false as well if the worker thread was lost before it heard of that
   * @throws SDS_PersistenceError `invalid-argument`, also if `state` is no update, or one that the merging thread has not enough memory
   *   for, of which nothing is stored; `worker-lost` if that thread has ended otherwise; what a write fails with; `fenced` if the
   *   document is open on another server
   */
  async add(name: string, state: Uint8Array, existing: 'skip' | 'merge' = 'skip'): Promise<boolean> {
    const fault =
      faultOfBytes(state, 'state') ??
      faultAtFirstSight(state, 'state') ??
      (existings.test(existing) ? undefined : `existing must be ${existings.what}, not ${describe(existing)}`);
    if (fault !== undefined) throw refusal('add', name, fault);
    const own = Uint8Array.from(state);
    return this.#opened(name, async (log) => {
      const { parcel, snapshotClock, patches } = await log.provider.loadParcel();
      discard(parcel); // whether there is anything is all that is asked
      const isThere = snapshotClock !== undefined || patches > 0;
      if (isThere && existing === 'skip') return false;
      const fault = await faultOfUpdate(this.#documents.merging, own);
      if (fault !== undefined) throw refusal('add', name, `state ${fault}`);
      if (!isThere) {
        const nothing = { SnapshotClock: undefined, Patches: [], LastClock: 0 };
        if (await log.provider.compactStore(own, nothing)) return true;
      }
      if (existing === 'skip') return false;
      await log.append(own);
      return true;
    });
  }

  /** Not for longer than that: on PostgreSQL, the document may be opened by another server after that. */
  async #opened<T>(name: string, work: (log: CompactedLog) => Promise<T>): Promise<T> {
    const log = this.#documents.open(name);
    try {
      return await work(log);
    } finally {
      await this.#documents.close(log);
    }
  }

  /**
   * Stores what is to be stored, and releases the database; the server does it by itself at its end. Calling it again is the
   * same call; every other one after it rejects with `closed`.
   *
   * @throws SDS_PersistenceError once all is released: the first failure, with the name of its document. Of each that is not stored it is told as well
   */
  destroy(): Promise<void> {
    return this.#documents.closeAll(() => new Map([...this.#open.values()].map((one) => [one.log, one.leave()])));
  }

  /** The same as `destroy()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }
}

const ownOptions: Record<keyof OwnOptions, Acceptance> = {
  ...yjsOptions,
  database: { what: 'a path or a postgres:// URL', test: (value) => typeof value === 'string' },
};

const existings = oneOf('skip', 'merge');

function destroyedBefore(name: string, cause: unknown): SDS_PersistenceError {
  const document = JSON.stringify(name);
  const message = `document ${document} is not stored: the extension was destroyed before; server.destroy() does that behind all that is loaded`;
  return new SDS_PersistenceError('closed', message, { cause });
}

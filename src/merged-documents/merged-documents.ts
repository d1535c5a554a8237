/** Documents of any kind whose updates a module of the program's can merge. */
import { Documents, inTurns, merge, readDocumentOptions, Turns, urlOf } from '../documents/index.ts';
import type { Acceptance } from '../main/option-checks.ts';
import type { DocumentOptions } from '../protocol/document-options.ts';

export interface MergedDocumentsOptions extends DocumentOptions {
  /**
   * URL of a module that exports `merge(parts)`: it makes one update of an array of updates (`Uint8Array`), the first of which may be the
   * result of an earlier merge, and returns it or a promise of it. It is loaded in a thread of its own, not in this one.
   */
  merge: { readonly href: string } | string;
}

const ownOptions: Readonly<Record<'merge', Acceptance>> = {
  merge: {
    what: "the URL of a module, for instance new URL('./merge.mjs', import.meta.url)",
    test: (value) => urlOf(value) !== undefined,
  },
};

/**
 * Stores documents whose updates may be applied in any order, and more than once, in an SQLite file or a PostgreSQL database.
 * Updates are appended as they come; from time to time, and when a document is loaded that has some hundred, a thread of its own merges them by the program's module.
 * What it can't merge stays as it is, and nothing is lost.
 *
 * Promises reject with an `SDS_PersistenceError`: `invalid-argument`, `closed`, and all that a provider's calls can fail with.
 *
 * @example
 * import { MergedDocuments } from 'sds-persistence-worker/merged-documents'
 * const joined = 'export const merge = (parts) => Buffer.concat(parts)'
 * const documents = new MergedDocuments('./logs.db', { merge: `data:text/javascript,${joined}` })
 * documents.append('today', new TextEncoder().encode('one, '))
 * documents.append('today', new TextEncoder().encode('two'))
 * await documents.compact('today')
 * console.log((await documents.load('today')).map((update) => new TextDecoder().decode(update))) // [ 'one, two' ]
 * await documents.destroy()
 */
export class MergedDocuments {
  readonly #documents: Documents;

  /**
   * @param database - the path of an SQLite file, which is made if it is not there, or a `postgres://` URL
   * @throws SDS_PersistenceError `invalid-argument`, `open-failed`; what is only found by opening it, the first call says
   */
  constructor(database: string, options: MergedDocumentsOptions) {
    const { own, ...settings } = readDocumentOptions<Pick<MergedDocumentsOptions, 'merge'>>(
      options,
      ownOptions,
      'merge',
    );
    const source = { kind: 'module', url: urlOf(own.merge) as string } as const;
    const merging = inTurns(new Turns(), (order, parts) => merge({ source, order, parts }, settings.limits));
    this.#documents = new Documents(database, settings, merging);
  }

  /**
   * Resolves once the database is open. Nobody has to wait for it: each call tries anew.
   *
   * @throws SDS_PersistenceError `open-failed`, `schema-mismatch` and the like
   */
  ready(): Promise<void> {
    return this.#documents.anchor.ready();
  }

  /**
   * Stores an update of a document; its bytes are the caller's again when this returns. Nobody has to wait for the promise: a failure
   * is told by `onError` or a warning anyway.
   *
   * @returns once it is committed
   */
  append(name: string, update: Uint8Array): Promise<void> {
    return this.#documents.append('append', name, update);
  }

  /**
   * What is stored of a document, with all that was appended before: up to some hundred updates, or all of them if they could not be
   * merged within three seconds; none if nothing is stored. They belong to the caller, and may share buffers.
   */
  load(name: string): Promise<Uint8Array[]> {
    return this.#documents.use(name, (log) => log.load());
  }

  /**
   * Merges all that is stored of a document, now; that is done anyway from time to time. Updates may be appended meanwhile.
   *
   * @returns whether it was stored: not if another process has changed the document meanwhile
   * @throws SDS_PersistenceError also `database-corrupt` with what the module has thrown as its cause, and `invalid-argument` if there is no
   *   such module; nothing is changed then
   */
  compact(name: string): Promise<boolean> {
    return this.#documents.use(name, (log) => log.compact());
  }

  /** Deletes all that is stored of a document. Resolves once that is committed. */
  async remove(name: string): Promise<void> {
    await this.#documents.log(name).removeStored();
  }

  /** The names of all documents of which anything is stored, in the order of their UTF-8 bytes. */
  names(): Promise<string[]> {
    return this.#documents.anchor.listStores();
  }

  /**
   * Stores what is to be stored, and releases the database. Calling it again is the same call; every other one after it rejects
   * with `closed`.
   *
   * @throws SDS_PersistenceError once all is released: the first failure
   */
  destroy(): Promise<void> {
    return this.#documents.closeAll();
  }

  /** The same as `destroy()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }
}

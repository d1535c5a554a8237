/** Takes over what other extensions of Hocuspocus have stored. */
import { LeftOut } from '../documents/index.ts';
import type { HocuspocusPersistence } from './hocuspocus-persistence.ts';

/** A document that comes from elsewhere. */
export interface ImportedDocument {
  name: string;
  /** All of it as one update, as `extension-database` stores it; of one without, nothing is stored. */
  data: Uint8Array | null | undefined;
}

export interface ImportOptions {
  /** What to do with a document of which something is stored already: leave it alone (`'skip'`, default), or add to it (`'merge'`). */
  existing?: 'skip' | 'merge';
}

export interface ImportResult {
  /** How many documents were stored … */
  imported: number;
  /** … and how many were left alone, or had nothing in them. */
  skipped: number;
}

/**
 * Stores documents that come from elsewhere, one after the other, each in one transaction. It may be called again after it was cut
 * off, or while a server serves: what is there already is left alone.
 *
 * @param documents - for instance what `fetch` of `extension-database` returns for each name; it is asked for the next one once
 *   the one before is committed
 * @throws SDS_PersistenceError at the end, with the code of the first of them, if some documents are left out: it names them, and all others
 *   are stored. `invalid-argument`: data that are no update, or one that the merging thread has not enough memory for; `fenced`: the
 *   document is open on another server. At once: what a write fails with otherwise, `worker-lost` if that thread has ended otherwise, and what
 *   `documents` throws; those that came before are stored
 *
 * @example
 * import { HocuspocusPersistence, importDocuments } from 'sds-persistence-worker/hocuspocus'
 * const others = new Map([['notes', new Uint8Array([0, 0])], ['plans', null]])
 * async function* documents() {
 *   for (const [name, data] of others) yield { name, data }
 * }
 * const persistence = new HocuspocusPersistence({ database: './documents.db' })
 * console.log(await importDocuments(persistence, documents())) // { imported: 1, skipped: 1 }
 * await persistence.destroy()
 */
export async function importDocuments(
  persistence: Pick<HocuspocusPersistence, 'add'>,
  documents: AsyncIterable<ImportedDocument> | Iterable<ImportedDocument>,
  { existing }: ImportOptions = {},
): Promise<ImportResult> {
  const result = { imported: 0, skipped: 0 };
  const leftOut = new LeftOut();
  for await (const { name, data } of documents) {
    try {
      const isEmpty = data === null || data === undefined || data.byteLength === 0;
      const isStored = !isEmpty && (await persistence.add(name, data, existing));
      result[isStored ? 'imported' : 'skipped']++;
    } catch (error) {
      if (!LeftOut.isOfOne(error)) throw error;
      leftOut.add(name, error);
    }
  }
  leftOut.throwIfAny('importDocuments', result.imported);
  return result;
}

/** Takes over what y-leveldb has stored. */
import { SDS_PersistenceError } from '../main/index.ts';
import type { Promise } from '../protocol/surroundings.ts';
import type { YjsDoc } from './yjs.ts';
import type { YjsPersistence } from './yjs-persistence.ts';

/** An open `LeveldbPersistence` of y-leveldb. */
export interface LeveldbSource {
  getAllDocNames(): PromiseLike<string[]>;
  getDiff(name: string, stateVector: Uint8Array): PromiseLike<Uint8Array>;
  getMetas(name: string): PromiseLike<Map<string, unknown>>;
}

/** That of an empty document. */
const NOTHING = new Uint8Array([0]);

/**
 * Copies all documents of a LevelDB database, with their metas. Documents that are there already are merged with those that come:
 * it may be called again, after it was cut off or while a server still writes there.
 *
 * @param leveldb - an open `LeveldbPersistence`; it is not closed
 * @returns how many documents and metas were copied, once they are committed
 * @throws SDS_PersistenceError `io-error` if y-leveldb can't read a document; what writes fail with
 *
 * @example
 * const leveldb = new LeveldbPersistence('./leveldb')
 * await importFromLeveldb(leveldb, persistence)
 * await leveldb.destroy()
 */
export async function importFromLeveldb(
  leveldb: LeveldbSource,
  persistence: YjsPersistence<YjsDoc>,
): Promise<{ documents: number; metas: number }> {
  // y-leveldb resolves with null where it fails
  const read = async <T>(what: string, found: PromiseLike<T | null>): Promise<T> => {
    const value = await found;
    if (value !== null && value !== undefined) return value;
    throw new SDS_PersistenceError('io-error', `importFromLeveldb: y-leveldb could not read ${what}; see its warning`);
  };
  const names = await read('the names of its documents', leveldb.getAllDocNames());
  let metas = 0;
  for (const name of names) {
    const found = await read(`the metas of ${JSON.stringify(name)}`, leveldb.getMetas(name));
    for (const [key, value] of found) await persistence.setMeta(name, key, value);
    metas += found.size;
    await persistence.storeUpdate(name, await read(`document ${JSON.stringify(name)}`, leveldb.getDiff(name, NOTHING)));
  }
  return { documents: names.length, metas };
}

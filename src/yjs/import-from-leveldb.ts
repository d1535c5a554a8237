/** Takes over what y-leveldb has stored. */
import { LeftOut } from '../documents/index.ts';
import { SDS_PersistenceError } from '../main/index.ts';
import { describe } from '../main/option-checks.ts';
import type { YjsDoc } from '../protocol/yjs.ts';
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
 * Copies all documents of a LevelDB database, with their metas. Documents that are there already are merged with those that come, and
 * metas that are there are left alone: it may be called again, after it was cut off or while a server still writes there. Text that was
 * deleted does not come along: y-leveldb drops it whenever it reads a document.
 *
 * @param leveldb - an open `LeveldbPersistence`; it is not closed
 * @returns how many documents and metas were copied, once they are committed
 * @throws SDS_PersistenceError `invalid-argument` if `leveldb` is something else, such as a path. At the end, with the code of the first of
 *   them, if some documents are left out: it names them, and all others are copied. `io-error`: y-leveldb can't read it; `fenced`: another
 *   process has it open. At once: if y-leveldb can't read anything; what writes fail with otherwise
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
  if (typeof (leveldb as Partial<LeveldbSource> | undefined)?.getAllDocNames !== 'function') {
    const what = describe(leveldb);
    throw new SDS_PersistenceError(
      'invalid-argument',
      `importFromLeveldb: leveldb must be an open LeveldbPersistence of y-leveldb, not ${what}`,
    );
  }
  const names = await read(() => leveldb.getAllDocNames());
  const copied = { documents: 0, metas: 0 };
  const leftOut = new LeftOut();
  for (const name of names) {
    let metas: Map<string, unknown>;
    let update: Uint8Array;
    try {
      metas = await read(() => leveldb.getMetas(name));
      update = await read(() => leveldb.getDiff(name, NOTHING));
    } catch (error) {
      leftOut.add(name, error as SDS_PersistenceError);
      continue;
    }
    try {
      const known = await persistence.getMetas(name);
      for (const [key, value] of metas) {
        if (known.has(key)) continue;
        await persistence.setMeta(name, key, value);
        copied.metas++;
      }
      await persistence.storeUpdate(name, update);
      copied.documents++;
    } catch (error) {
      if (!LeftOut.isOfOne(error)) throw error;
      leftOut.add(name, error);
    }
  }
  leftOut.throwIfAny('importFromLeveldb', copied.documents);
  return copied;
}

/** y-leveldb resolves with null where it fails, or stumbles over that itself. */
async function read<T>(find: () => PromiseLike<T | null>): Promise<T> {
  let options: { cause: unknown } | undefined;
  try {
    const value = await find();
    if (value !== null && value !== undefined) return value;
  } catch (cause) {
    options = { cause };
  }
  throw new SDS_PersistenceError(
    'io-error',
    'importFromLeveldb: y-leveldb could not read it; see its warning',
    options,
  );
}

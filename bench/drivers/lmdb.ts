/**
 * lmdb: a memory-mapped tree, written in batches by a native thread. A database a store, keys of 32 bits.
 * It goes on looking at the caller's bytes until they are written: a patch that is changed after the
 * call is stored as changed. With a copy made at the call it keeps the contract.
 */
import { join } from 'node:path';
import { type Driver, importPeer } from './driver.ts';

interface LmdbDatabase {
  put(key: number | string, value: Uint8Array): Promise<boolean>;
  getBinary(key: number | string): Uint8Array | undefined;
  getRange(range: { start: number }): Iterable<{ key: number; value: Uint8Array }>;
  openDB(options: object): LmdbDatabase;
  close(): Promise<void>;
}

const committed = 'its promise: committed and visible, flushed later (its default): survives the end of the process';

const driverWith = (title: string, take: (patch: Uint8Array) => Uint8Array, note: string): Driver => ({
  title,
  committed: `${committed}; ${note}`,
  peer: 'lmdb',
  async open(folder) {
    const { open } = await importPeer<{ open(options: object): LmdbDatabase }>('lmdb');
    const root = open({ path: join(folder, 'lmdb'), maxDbs: 2100 });
    const snapshots = root.openDB({ name: 'snapshots', encoding: 'binary' });
    return {
      store(id) {
        const patches = root.openDB({ name: `patches of ${id}`, encoding: 'binary', keyEncoding: 'uint32' });
        return {
          appendPatch: (patch, clock) => patches.put(clock, take(patch)),
          saveSnapshot: (data) => snapshots.put(id, take(data)),
          loadSnapshot: () => snapshots.getBinary(id),
          loadPatchesSince: (clock) => Array.from(patches.getRange({ start: clock + 1 }), ({ value }) => value),
        };
      },
      close: () => root.close(),
    };
  },
});

export const lmdb = driverWith('lmdb', (bytes) => bytes, "stores the caller's bytes as they are when it writes them");
export const lmdbCopy = driverWith(
  'lmdb, bytes copied at the call',
  (bytes) => bytes.slice(),
  'stores the bytes as they were at the call, as the contract asks',
);

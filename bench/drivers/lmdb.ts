/** lmdb: a memory-mapped tree, written in batches by a native thread. A database a store, keys of 32 bits. */
import { join } from 'node:path';
import { type Driver, importPeer } from './driver.ts';

interface LmdbDatabase {
  put(key: number | string, value: Uint8Array): Promise<boolean>;
  getBinary(key: number | string): Uint8Array | undefined;
  getRange(range: { start: number }): Iterable<{ key: number; value: Uint8Array }>;
  openDB(options: object): LmdbDatabase;
  close(): Promise<void>;
}

export const lmdb: Driver = {
  title: 'lmdb',
  committed:
    'its promise: committed and visible, flushed later (its default on Linux): survives the end of the process',
  peer: 'lmdb',
  async open(folder) {
    const { open } = await importPeer<{ open(options: object): LmdbDatabase }>('lmdb');
    const root = open({ path: join(folder, 'lmdb'), maxDbs: 2100 });
    const snapshots = root.openDB({ name: 'snapshots', encoding: 'binary' });
    return {
      store(id) {
        const patches = root.openDB({ name: `patches of ${id}`, encoding: 'binary', keyEncoding: 'uint32' });
        return {
          appendPatch: (patch, clock) => patches.put(clock, patch),
          saveSnapshot: (data) => snapshots.put(id, data),
          loadSnapshot: () => snapshots.getBinary(id),
          loadPatchesSince: (clock) => Array.from(patches.getRange({ start: clock + 1 }), ({ value }) => value),
        };
      },
      close: () => root.close(),
    };
  },
};

/** classic-level: LevelDB, each call on Node's thread pool. Keys are the store's name and the number in 8 bytes. */
import { join } from 'node:path';
import { type Driver, importPeer } from './driver.ts';

interface Level {
  open(): Promise<void>;
  put(key: Uint8Array, value: Uint8Array): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  values(range: { gt: Uint8Array; lt: Uint8Array }): { all(): Promise<Uint8Array[]> };
  close(): Promise<void>;
}

export const classicLevel: Driver = {
  title: 'classic-level',
  committed: 'its promise with sync: false (its default): handed to the system, survives the end of the process',
  peer: 'classic-level',
  async open(folder) {
    const { ClassicLevel } = await importPeer<{ ClassicLevel: new (path: string, options: object) => Level }>(
      'classic-level',
    );
    const level = new ClassicLevel(join(folder, 'level'), { keyEncoding: 'view', valueEncoding: 'view' });
    await level.open();
    return {
      store(id) {
        const prefix = Buffer.from(id);
        const snapshotKey = Buffer.from(`snapshot of ${id}`);
        const keyOf = (clock: number) => {
          const key = Buffer.allocUnsafe(prefix.length + 8);
          key.set(prefix);
          key.writeDoubleBE(clock, prefix.length); // positive doubles are in order byte by byte
          return key;
        };
        return {
          appendPatch: (patch, clock) => level.put(keyOf(clock), patch),
          saveSnapshot: (data) => level.put(snapshotKey, data),
          loadSnapshot: () => level.get(snapshotKey),
          loadPatchesSince: (clock) => level.values({ gt: keyOf(clock), lt: keyOf(Number.MAX_SAFE_INTEGER) }).all(),
        };
      },
      close: () => level.close(),
    };
  },
};

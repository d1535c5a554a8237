/** Modules whose declarations are not to be found. */

declare module 'y-leveldb' {
  import type { LeveldbSource } from 'sds-persistence-worker/yjs';
  export class LeveldbPersistence implements LeveldbSource {
    constructor(location: string);
    getAllDocNames(): Promise<string[]>;
    getDiff(name: string, stateVector: Uint8Array): Promise<Uint8Array>;
    getMetas(name: string): Promise<Map<string, unknown>>;
    getYDoc(name: string): Promise<import('yjs').Doc>;
    storeUpdate(name: string, update: Uint8Array): Promise<number>;
    setMeta(name: string, key: string, value: unknown): Promise<void>;
    destroy(): Promise<void>;
  }
}

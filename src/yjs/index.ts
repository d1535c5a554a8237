/** What `sds-persistence-worker/yjs` exports. */
export type { DocumentOptions, OnError } from '../documents/index.ts';
export { importFromLeveldb, type LeveldbSource } from './import-from-leveldb.ts';
export type { YjsDoc, YjsModule } from './yjs.ts';
export { YjsPersistence, type YjsPersistenceOptions } from './yjs-persistence.ts';

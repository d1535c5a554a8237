/** What `sds-persistence-worker/yjs` exports. */
import '../main/refuse-old-node.ts';

export type { DocumentOptions, MergingLimits, OnError } from '../protocol/document-options.ts';
export type { YjsDoc, YjsModule } from '../protocol/yjs.ts';
export { importFromLeveldb, type LeveldbSource } from './import-from-leveldb.ts';
export { YjsPersistence, type YjsPersistenceOptions } from './yjs-persistence.ts';

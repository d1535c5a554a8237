/** What `sds-persistence-worker/hocuspocus` exports. */
import '../main/refuse-old-node.ts';

export type { DocumentOptions, MergingLimits, OnError } from '../protocol/document-options.ts';
export type { DocumentPayload, HocuspocusServer } from './hocuspocus.ts';
export { HocuspocusPersistence, type HocuspocusPersistenceOptions } from './hocuspocus-persistence.ts';
export { type ImportedDocument, type ImportOptions, type ImportResult, importDocuments } from './import-documents.ts';
export { importFromSqlite } from './import-from-sqlite.ts';

/** The entry `sds-persistence-worker/merged-documents`. */
export { MergedDocuments, type MergedDocumentsOptions } from './merged-documents.ts';

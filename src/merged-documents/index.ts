/** The entry `sds-persistence-worker/merged-documents`. */
import '../main/refuse-old-node.ts';

export { MergedDocuments, type MergedDocumentsOptions } from './merged-documents.ts';

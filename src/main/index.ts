/** What the package exports. */
import './refuse-old-node.ts';

export type { SDS_Record, SDS_StoreContents } from '../protocol/contents.ts';
export type { SDS_PersistenceProvider } from '../protocol/contract.ts';
export { SDS_PersistenceError, type SDS_PersistenceErrorCode } from '../protocol/errors.ts';
export type {
  SDS_BackupOptions,
  SDS_BackupResult,
  SDS_CompactResult,
  SDS_CopyOptions,
  SDS_CopyResult,
  SDS_DatabaseDescription,
  SDS_DescribeOptions,
  SDS_Finding,
  SDS_FindingCode,
  SDS_OperationOptions,
  SDS_OperationProgress,
  SDS_RestoreOptions,
  SDS_StopSignal,
  SDS_StoreDescription,
  SDS_VerifyResult,
} from '../protocol/operations.ts';
export type { SDS_ProviderOptions } from '../protocol/options.ts';
export { postgresqlSchema } from '../protocol/postgresql/schema.ts';
export type { SDS_Statistics } from '../protocol/statistics.ts';
export {
  backupDatabase,
  compactDatabase,
  copyStores,
  describeDatabase,
  restoreDatabase,
  verifyDatabase,
} from './operations/operations.ts';
export { SDS_DesktopPersistenceProvider } from './provider.ts';
export { transfer } from './transfer.ts';

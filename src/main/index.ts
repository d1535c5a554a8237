/** What the package exports. */
export type { SDS_PersistenceProvider } from '../protocol/contract.ts';
export { SDS_PersistenceError, type SDS_PersistenceErrorCode } from '../protocol/errors.ts';
export type { SDS_ProviderOptions } from '../protocol/options.ts';
export { transfer } from './ownership.ts';
export { SDS_DesktopPersistenceProvider } from './provider.ts';

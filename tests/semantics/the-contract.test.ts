/** Runs the contract over every implementation there is. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { ReferenceProvider } from '../support/reference-provider.ts';
import { describeContract } from './contract-suite.ts';

describeContract('this provider', (dbPath, storeId) => new SDS_DesktopPersistenceProvider(dbPath, storeId));
describeContract(
  'this provider with all options turned',
  (dbPath, storeId) =>
    new SDS_DesktopPersistenceProvider(dbPath, storeId, { Durability: 'full', MaxPendingBytes: 1, BusyTimeoutMs: 100 }),
);
describeContract('the synchronous reference', (dbPath, storeId) => new ReferenceProvider(dbPath, storeId));

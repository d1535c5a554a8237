/** Runs the contract, and what this package adds to it, over every implementation there is. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { ExtendedReference } from '../support/extended-reference.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';
import { describeContract } from './contract-suite.ts';
import { describeEverySuite } from './every-suite.ts';
import { describeRecords } from './records-suite.ts';
import { describeWholeStores } from './whole-stores-suite.ts';

describeEverySuite('this provider', (...place) => new SDS_DesktopPersistenceProvider(...place));
describeEverySuite(
  'this provider with all options turned',
  (dbPath, storeId, options) =>
    new SDS_DesktopPersistenceProvider(dbPath, storeId, {
      Durability: 'full',
      MaxPendingBytes: 1,
      BusyTimeoutMs: 100,
      ...options,
    }),
);
describeContract('the synchronous reference', (dbPath, storeId) => new ReferenceProvider(dbPath, storeId));
for (const describeSuite of [describeWholeStores, describeRecords]) {
  describeSuite('the synchronous reference', (dbPath, storeId) => new ExtendedReference(dbPath, storeId));
}

/** Runs the contract, and what this package adds to it, over PostgreSQL, with its options each way. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describeContract } from '../semantics/contract-suite.ts';
import { describeRecords } from '../semantics/records-suite.ts';
import { describeWholeStores } from '../semantics/whole-stores-suite.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

describeOnPostgresql('on PostgreSQL', () => {
  const { freshPlace } = postgresql;
  for (const describeSuite of [describeContract, describeWholeStores, describeRecords]) {
    describeSuite('this provider', (url, storeId) => new SDS_DesktopPersistenceProvider(url, storeId), freshPlace);
    describeSuite(
      'this provider with all options turned',
      (url, storeId) =>
        new SDS_DesktopPersistenceProvider(url, storeId, {
          Durability: 'full',
          MaxPendingBytes: 1,
          Overflow: 'block',
          Ownership: 'shared',
          LeaseMs: 1000,
          OnClockCollision: 'ignore',
        }),
      freshPlace,
    );
    describeSuite(
      'this provider without COPY',
      (url, storeId) => new SDS_DesktopPersistenceProvider(`${url}&copy=off`, storeId),
      freshPlace,
    );
  }
});

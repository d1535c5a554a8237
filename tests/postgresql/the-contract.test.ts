/** Runs the contract, and what this package adds to it, over PostgreSQL, with its options each way. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describeEverySuite } from '../semantics/every-suite.ts';
import { describeOnPostgresql, placeWithoutCopy, postgresql } from '../support/postgresql.ts';

describeOnPostgresql('on PostgreSQL', () => {
  const { freshPlace } = postgresql;
  describeEverySuite('this provider', (...place) => new SDS_DesktopPersistenceProvider(...place), freshPlace);
  describeEverySuite(
    'this provider with all options turned',
    (url, storeId, options) =>
      new SDS_DesktopPersistenceProvider(url, storeId, {
        Durability: 'full',
        MaxPendingBytes: 1,
        Overflow: 'block',
        Ownership: 'shared',
        LeaseMs: 1000,
        OnClockCollision: 'ignore',
        ...options,
      }),
    freshPlace,
  );
  describeEverySuite(
    'this provider without COPY',
    (...place) => new SDS_DesktopPersistenceProvider(...place),
    placeWithoutCopy,
  );
});

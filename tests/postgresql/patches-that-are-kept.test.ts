/** Numbers that meet, with `OnClockCollision: 'keep'`, on PostgreSQL. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describeKeptPatches } from '../semantics/patches-that-are-kept-suite.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

describeOnPostgresql('on PostgreSQL', () => {
  describeKeptPatches(
    'a database',
    (url) => new SDS_DesktopPersistenceProvider(url, 'store', { OnClockCollision: 'keep' }),
    postgresql.freshPlace,
    postgresql.rowsOf,
  );
});

/** Runs a sync engine's steps over PostgreSQL. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describeSyncEngine } from '../semantics/as-a-sync-engine-calls-suite.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

describeOnPostgresql('on PostgreSQL', () => {
  const { freshPlace } = postgresql;
  describeSyncEngine('this provider', (url, id) => new SDS_DesktopPersistenceProvider(url, id), freshPlace);
});

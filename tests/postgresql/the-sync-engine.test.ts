/** A small slice of the rig torture/postgresql-sync-engine.ts. */
import { runOn } from '../../torture/sync-engine.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql('a sync engine that is ended in any way has nothing lost', runOn, 0.006);
});

/** A small slice of the rigs torture/postgresql-processes.ts and torture/postgresql-migrations.ts. */
import { runOn as makeTables } from '../../torture/postgresql-migrations.ts';
import { runOn as share } from '../../torture/postgresql-processes.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql('several processes share a database or a store, one is killed, and nothing is lost', share, 0.01);
  sliceOnPostgresql('five processes that find no tables at the same time all work', makeTables, 0.01);
});

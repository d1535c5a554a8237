/** A small slice of the rig torture/postgresql-pgbouncer.ts. */
import { run } from '../../torture/postgresql-pgbouncer.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { slice } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  slice('all of it works through PgBouncer in transaction mode', run, 0.02);
});

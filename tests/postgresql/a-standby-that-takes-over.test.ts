/** A small slice of the rig torture/postgresql-failover.ts. */
import { run } from '../../torture/postgresql-failover.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { slice } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  slice('a primary is killed and its standby promoted: nothing acknowledged is lost', run, 0.1);
});

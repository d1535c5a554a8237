/** A small slice of the rig torture/postgresql-fencing.ts. */
import { runOn } from '../../torture/postgresql-fencing.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql('a process that slept over the end of its lease writes nothing any more', runOn, 0.02);
});

/** A small slice of the rig torture/postgresql-killed-processes.ts. */
import { runOn } from '../../torture/postgresql-killed-processes.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql('of a killed process a beginning of its calls is there, and another goes on from it', runOn, 0.02);
});

/** A small slice of the rig torture/meeting-numbers.ts, on PostgreSQL. */
import { runOn } from '../../torture/meeting-numbers.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql("numbers that meet are kept by 'keep', and counted and told by 'ignore'", runOn, 1);
});

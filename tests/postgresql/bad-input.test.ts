/** A small slice of the rig torture/bad-input.ts, on PostgreSQL. */
import { runOn } from '../../torture/bad-input.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql('bad input rejects with invalid-argument, and nothing is stored', runOn, 1);
});

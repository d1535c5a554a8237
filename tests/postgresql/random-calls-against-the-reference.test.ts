/** A small slice of the rig torture/model-commands.ts, on PostgreSQL. */
import { runOn } from '../../torture/model-commands.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql('random calls get the same answers and leave the same rows as the reference', runOn, 0.02);
});

/** A small slice of the rig torture/lost-workers.ts, on PostgreSQL. */
import { runOn } from '../../torture/lost-workers.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql('a worker that is terminated costs nothing but what was handed over to it', runOn, 0.025);
});

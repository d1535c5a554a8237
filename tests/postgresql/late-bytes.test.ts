/** A small slice of the rig torture/postgresql-late-bytes.ts. */
import { runOn } from '../../torture/postgresql-late-bytes.ts';
import { describeOnPostgresql, postgresql, server } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql(
    'what a lost connection had sent changes nothing, whenever it arrives',
    (_, context) => runOn(server, postgresql, context),
    0.01,
  );
});

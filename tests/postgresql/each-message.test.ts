/** A small slice of the rig torture/postgresql-each-message.ts. */
import { runOn } from '../../torture/postgresql-each-message.ts';
import { describeOnPostgresql, postgresql, server } from '../support/postgresql.ts';
import { sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  sliceOnPostgresql(
    'whichever message is lost, late or refused, every call is carried out once, or rejects for the right reason',
    (_, context) => runOn(server, postgresql, context),
    0.003,
  );
});

/** A small slice of the rig torture/postgresql-failover.ts. */
import { failOver } from '../../torture/postgresql-failover.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { findBinaries } from '../support/postgresql-binaries.ts';
import { slice } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  slice(
    'a primary is killed and its standby promoted: nothing acknowledged is lost',
    async (context) => {
      const binaries = findBinaries();
      if (binaries !== undefined) await failOver(binaries, context);
    },
    0.1,
  );
});

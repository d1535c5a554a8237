/** A small slice of the rig torture/postgresql-two-troubles.ts. */
import { run } from '../../torture/postgresql-two-troubles.ts';
import { describeOnPostgresql } from '../support/postgresql.ts';
import { slice } from './slices.ts';

describeOnPostgresql('on PostgreSQL', () => {
  slice('a program in trouble of two kinds at once loses nothing that was acknowledged, and ends', run, 0.008);
});

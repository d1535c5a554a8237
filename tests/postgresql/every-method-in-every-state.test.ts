/** Every method in every state of a provider on PostgreSQL. */
import { describeEveryState } from '../reliability/every-state-suite.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

describeOnPostgresql('on PostgreSQL', () => {
  describeEveryState(postgresql);
});

/** Random work on PostgreSQL, side by side with the reference, and by several processes at once. */
import { describeSameAnswers } from '../semantics/same-answers-suite.ts';
import { describeSeveralProcesses } from '../semantics/several-processes-suite.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

describeOnPostgresql('on PostgreSQL', () => {
  describeSameAnswers(postgresql, [1, 2]);
  describeSeveralProcesses(postgresql, [11]);
});

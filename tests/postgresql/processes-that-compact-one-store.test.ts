/** Several processes append to one store of a PostgreSQL database, and compact it, at random. */
import { describeCompactingProcesses } from '../semantics/compacting-processes-suite.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

describeOnPostgresql('on PostgreSQL', () => {
  describeCompactingProcesses(postgresql, [11, 12]);
});

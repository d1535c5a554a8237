/** Bytes stay the caller's, or are handed over, as with files: the worker is another, the crossing the same. */
import { describeCallersBytes } from '../bytes/bytes-stay-the-callers-suite.ts';
import { describeHandedOverBytes } from '../bytes/handed-over-bytes-suite.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

describeOnPostgresql('on PostgreSQL', () => {
  describeCallersBytes(postgresql);
  describeHandedOverBytes(postgresql);
});

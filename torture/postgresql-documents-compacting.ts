/** The rig documents-compacting, on PostgreSQL, where the processes share the documents. */
import { runOn } from './documents-compacting.ts';
import { onPostgresql } from './engines.ts';

export const run = onPostgresql(runOn);

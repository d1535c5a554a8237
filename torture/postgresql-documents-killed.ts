/** The rig documents-killed, on PostgreSQL. */
import { runOn } from './documents-killed.ts';
import { onPostgresql } from './engines.ts';

export const run = onPostgresql(runOn);

/** The family's sync engine on PostgreSQL. */
import { onPostgresql } from './engines.ts';
import { runOn } from './sync-engine.ts';

export const run = onPostgresql(runOn);

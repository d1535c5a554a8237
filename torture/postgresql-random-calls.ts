/** Random calls of several providers, some in another process, on PostgreSQL and on the synchronous reference. */
import { onPostgresql } from './engines.ts';
import { runOn } from './model-commands.ts';

export const run = onPostgresql(runOn);

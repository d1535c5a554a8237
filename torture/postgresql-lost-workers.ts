/** Worker threads that are terminated while they work on PostgreSQL: nothing is lost or done twice. */
import { onPostgresql } from './engines.ts';
import { runOn } from './lost-workers.ts';

export const run = onPostgresql(runOn);

/** The rig two-troubles, on PostgreSQL. */
import { servers } from './postgresql-troubles.ts';
import { inTrouble } from './two-troubles.ts';

export const run = inTrouble(servers);

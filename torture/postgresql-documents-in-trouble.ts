/** The rig documents-in-trouble, on PostgreSQL. */
import { keeping, ofProcesses } from './documents-in-trouble.ts';
import { servers } from './postgresql-troubles.ts';
import { inTrouble } from './two-troubles.ts';

export const run = inTrouble(servers, ofProcesses, keeping);

/** Two or three programs like those of two-troubles.ts that share all stores, of which the first one prunes. */
import { files } from './troubles.ts';
import { inTrouble } from './two-troubles.ts';

export const run = inTrouble(files, [2, 3]);

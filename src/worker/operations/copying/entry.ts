/** Where a worker that moves stores begins: from or to a PostgreSQL database, or from several sources. It does so once. */
import type { CopyTask } from '../../../protocol/operation-messages.ts';
import { serve } from '../serve.ts';
import { copyStores } from './copy.ts';

serve(({ given }, progress) => copyStores(given as CopyTask, progress), true);

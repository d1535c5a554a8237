/** Where a worker that copies stores begins: between files and PostgreSQL databases. It does so once. */
import type { CopyArguments } from '../../../protocol/operation-messages.ts';
import { serve } from '../serve.ts';
import { copyStores } from './copy.ts';

serve(({ given }, progress) => copyStores(given as CopyArguments, progress), true);

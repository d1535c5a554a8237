/** The worker of the naive way: the synchronous provider, exposed as it is. */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { ReferenceProvider } from '../../tests/support/reference-provider.ts';

const { folder } = workerData as { folder: string };
if (parentPort === null) throw new Error('this file runs in a worker');
expose(new ReferenceProvider(join(folder, 'store.db'), 'store'), nodeEndpoint(parentPort));

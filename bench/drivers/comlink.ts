/** The naive way into a worker: the synchronous provider behind Comlink, one call a patch. */
import { Worker } from 'node:worker_threads';
import { type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import type { ReferenceProvider } from '../../tests/support/reference-provider.ts';
import type { Driver } from './driver.ts';

export const comlink: Driver = {
  title: 'one Comlink call a patch',
  committed: 'each call by itself, in the worker, in WAL mode, synchronous = NORMAL',
  sharesFile: true,
  open(folder) {
    const worker = new Worker(new URL('./comlink-worker.ts', import.meta.url), { workerData: { folder } });
    const store = wrap<ReferenceProvider>(nodeEndpoint(worker)) as Remote<ReferenceProvider>;
    const { appendPatch } = store; // a proxy is made at each access
    return {
      store: () => ({
        appendPatch: (patch, clock) => appendPatch(patch, clock),
        saveSnapshot: (data) => store.saveSnapshot(data),
        loadSnapshot: () => store.loadSnapshot(),
        loadPatchesSince: (clock) => store.loadPatchesSince(clock),
      }),
      async close() {
        await store.close();
        await worker.terminate();
      },
    };
  },
};

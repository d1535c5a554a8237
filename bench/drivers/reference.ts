/** The synchronous provider that this package replaces: each call is prepared and committed on the main thread. */
import { join } from 'node:path';
import { ReferenceProvider } from '../../tests/support/reference-provider.ts';
import type { Driver } from './driver.ts';

export const reference: Driver = {
  title: 'synchronous reference',
  committed: 'each call by itself, in WAL mode, synchronous = NORMAL: survives the end of the process',
  sharesFile: true,
  open(folder) {
    const providers: ReferenceProvider[] = [];
    return {
      store(id) {
        const store = new ReferenceProvider(join(folder, 'store.db'), id);
        providers.push(store);
        return store;
      },
      close: () => Promise.all(providers.map((store) => store.close())),
    };
  },
};

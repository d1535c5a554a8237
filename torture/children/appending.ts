/** Appends patches to some stores for ever, from where the file ends, and tells which were acknowledged. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { patchOf } from '../patches.ts';

const [dbPath = '', durability = 'normal', stores = '1'] = process.argv.slice(2);
const BURST = 300;

async function append(store: number): Promise<void> {
  const provider = new SDS_DesktopPersistenceProvider(dbPath, `store-${store}`, {
    Durability: durability === 'full' ? 'full' : 'normal',
  });
  let clock = (await provider.loadPatchesSince(0)).length;
  for (;;) {
    let last: Promise<void> | undefined;
    for (let i = 0; i < BURST; i++) {
      const number = ++clock;
      const promise = provider.appendPatch(patchOf(store, number), number);
      // patches of one batch share a promise: told once, for the last of them
      if (last !== undefined && promise !== last)
        void last.then(() => process.stdout.write(`${store} ${number - 1}\n`));
      last = promise;
    }
    const reached = clock;
    const told = last?.then(() => process.stdout.write(`${store} ${reached}\n`));
    // sometimes the next burst comes while this one is under way
    if (clock % 3 === 0) await told;
    else await new Promise(setImmediate);
  }
}

for (let store = 0; store < Number(stores); store++) void append(store);

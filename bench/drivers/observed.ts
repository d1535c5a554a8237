/** This package observed in several ways, and a build of it that counts nothing: what do figures and channels cost? */
import { subscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from '../../dist/index.js';
import { channelNames } from '../../tests/support/channels.ts';
import { changedBuild } from '../changed-build.ts';
import type { Driver } from './driver.ts';

type Class = typeof SDS_DesktopPersistenceProvider;

export const AS_THIS_PROVIDER = 'as by this provider';

/** This package as it is loaded here, observed in some way. */
export function builtAs(
  title: string,
  load: () => Promise<Class>,
  observe: (stores: SDS_DesktopPersistenceProvider[]) => () => void = () => () => {},
): Driver {
  return {
    title,
    committed: AS_THIS_PROVIDER,
    sharesFile: true,
    async open(folder) {
      const Provider = await load();
      const stores: SDS_DesktopPersistenceProvider[] = [];
      const end = observe(stores);
      return {
        store(id) {
          const store = new Provider(join(folder, 'store.db'), id);
          stores.push(store);
          return store;
        },
        async close() {
          end();
          await Promise.all(stores.map((store) => store.close()));
        },
      };
    },
  };
}

const ASKED_EVERY_MS = 100;

/** Ten times a second; a system for metrics asks every few seconds. */
function askForStatistics(stores: SDS_DesktopPersistenceProvider[]): () => void {
  const timer = setInterval(() => {
    for (const store of stores) store.statistics();
  }, ASKED_EVERY_MS);
  return () => clearInterval(timer);
}

let heard = 0;
const hear = () => {
  heard++;
};

function subscribeToAll(stores: SDS_DesktopPersistenceProvider[]): () => void {
  for (const name of channelNames()) subscribe(name, hear);
  const end = askForStatistics(stores);
  return () => {
    end();
    if (heard === 0) throw new Error('nothing was told on any channel');
  };
}

const ours = () => Promise.resolve(SDS_DesktopPersistenceProvider);

/** The same fields, and nothing that happens. */
const uncounted = `const watched = { begunAt: 0, patches: 0, bytes: 0, trace: undefined };
export class FileObserver {
  appended = 0; appendedBytes = 0; settled = 0; settledBytes = 0; failed = 0; failedBytes = 0;
  batches = 0; failedBatches = 0; heldCalls = 0; heldMs = 0; delays = new Delays();
  began() { return watched; }
  registered() {}
  completed() {}
  ended() {}
  beganLoad() {}
  endedLoad() {}
  hold(wait) { wait(); }
}
class Unused {`;
const nothingCounted = [
  { file: 'main/observe/file-observer.ts', from: 'export class FileObserver {', to: uncounted },
  { file: 'worker/engine.ts', from: 'for (const at of askedAt) delays.add(msBetween(at, now));', to: '' },
];
export const providerUncounted = builtAs('this provider, built without counting', () => changedBuild(nothingCounted));
export const providerStatistics = builtAs(
  'this provider, asked for statistics() ten times a second',
  ours,
  askForStatistics,
);
export const providerSubscribed = builtAs(
  'this provider, that and a subscriber on every channel',
  ours,
  subscribeToAll,
);

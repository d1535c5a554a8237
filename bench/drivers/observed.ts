/** This package observed in several ways, and a build of it that counts nothing: what do figures and channels cost? */
import { subscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from '../../dist/index.js';
import { channelNames } from '../../tests/support/channels.ts';
import { uncountedBuild } from '../uncounted.ts';
import type { Driver } from './driver.ts';

type Class = typeof SDS_DesktopPersistenceProvider;

function observed(
  title: string,
  load: () => Promise<Class>,
  observe: (stores: SDS_DesktopPersistenceProvider[]) => () => void,
): Driver {
  return {
    title,
    committed: 'as by this provider',
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
export const providerUncounted = observed('this provider, built without counting', uncountedBuild, () => () => {});
export const providerStatistics = observed(
  'this provider, asked for statistics() ten times a second',
  ours,
  askForStatistics,
);
export const providerSubscribed = observed(
  'this provider, that and a subscriber on every channel',
  ours,
  subscribeToAll,
);

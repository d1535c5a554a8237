/** This package, with the options that the pieces of work ask for. */
import { join } from 'node:path';
// not by name: in here that would be a package of bench/node_modules
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions, transfer } from '../../dist/index.js';
import type { Driver } from './driver.ts';

/** Where a folder's stores are, if they are in a file. */
export const fileIn = (folder: string) => join(folder, 'store.db');

interface How {
  options?: SDS_ProviderOptions;
  handOver?: boolean;
  onServer?: boolean;
}

function driverWith(
  title: string,
  committed: string,
  { options = {}, handOver = false, onServer = false }: How = {},
): Driver {
  return {
    title,
    committed,
    sharesFile: !onServer,
    open(folder, server = '') {
      const providers: SDS_DesktopPersistenceProvider[] = [];
      return {
        store(id) {
          // times are those to the commit, for snapshots as for patches
          const store = new SDS_DesktopPersistenceProvider(onServer ? server : fileIn(folder), id, {
            Acknowledge: 'committed',
            Overflow: 'block',
            ...options,
          });
          providers.push(store);
          if (!handOver) return store;
          return {
            appendPatch: (patch, clock) => store.appendPatch(patch, clock),
            saveSnapshot: (data) => store.saveSnapshot(transfer(data, [data.buffer])),
            loadSnapshot: () => store.loadSnapshot(),
            loadPatchesSince: (clock) => store.loadPatchesSince(clock),
          };
        },
        close: () => Promise.all(providers.map((store) => store.close())),
      };
    },
  };
}

const normal = 'after COMMIT in WAL mode, synchronous = NORMAL: survives the end of the process';
export const provider = driverWith('this provider', normal);
export const providerFull = driverWith(
  "this provider, Durability: 'full'",
  'after COMMIT in WAL mode, synchronous = FULL: survives a power cut',
  { options: { Durability: 'full' } },
);
export const providerTake = driverWith('this provider, TransferSnapshots', normal, {
  options: { TransferSnapshots: true },
});
export const providerTransfer = driverWith('this provider, transfer', normal, { handOver: true });

const onDisk = 'after COMMIT on PostgreSQL, synchronous_commit = on: survives a power cut of the server';
export const postgresql = driverWith('this provider on PostgreSQL', onDisk, { onServer: true });
export const postgresqlTake = driverWith('this provider on PostgreSQL, TransferSnapshots', onDisk, {
  onServer: true,
  options: { TransferSnapshots: true },
});

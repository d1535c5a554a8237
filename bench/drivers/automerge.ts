/** Storage of automerge-repo. */
import { join } from 'node:path';
import { AutomergeRepoStorage } from '../../dist/automerge-repo.js';
import { type Described, importPeer } from './driver.ts';

/** What is used of a `StorageAdapterInterface`. */
export interface Storage {
  save(key: string[], data: Uint8Array): Promise<void>;
  loadRange(prefix: string[]): Promise<{ key: string[]; data: Uint8Array | undefined }[]>;
  close?(): Promise<void>;
}

export interface AutomergeDriver extends Described {
  open(folder: string): Promise<Storage>;
}

type NodeFs = { NodeFSStorageAdapter: new (folder: string) => Storage };

export const automergeDrivers: Readonly<Record<string, AutomergeDriver>> = {
  'provider-automerge': {
    title: 'AutomergeRepoStorage of this package',
    committed: 'its promise: after COMMIT, as this provider',
    peer: '@automerge/automerge-repo',
    open: async (folder) => new AutomergeRepoStorage(join(folder, 'repo.db')),
  },
  'storage-nodefs': {
    title: 'automerge-repo-storage-nodefs',
    committed: 'its promise: a file a chunk is handed to the system, not at once as a whole',
    peer: '@automerge/automerge-repo-storage-nodefs',
    async open(folder) {
      const { NodeFSStorageAdapter } = await importPeer<NodeFs>('@automerge/automerge-repo-storage-nodefs');
      return new NodeFSStorageAdapter(join(folder, 'repo'));
    },
  },
};

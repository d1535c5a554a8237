/** The entry `sds-persistence-worker/automerge-repo`. */
import '../main/refuse-old-node.ts';

export { AutomergeRepoStorage, type AutomergeRepoStorageOptions } from './storage.ts';

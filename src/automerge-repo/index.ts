/** The entry `sds-persistence-worker/automerge-repo`. */
export { AutomergeRepoStorage, type AutomergeRepoStorageOptions } from './storage.ts';

/** What is stored of a document, merged. */
import { type SDS_DesktopPersistenceProvider, SDS_PersistenceError, type SDS_StoreContents } from '../main/index.ts';
import type { MergeTask } from '../protocol/merging.ts';
import { later, Promise } from '../protocol/surroundings.ts';

/** There is no module to merge with. */
export class NoMergeModule extends Error {}

/** Of what a merge has thrown. */
export function mergeFailed(reason: Error): SDS_PersistenceError {
  const message = `a document's updates could not be merged (${reason.message}); all of them are stored as they are`;
  return new SDS_PersistenceError('database-corrupt', message, { cause: reason });
}

/** Merges the updates of a kind of documents. */
export interface Merging {
  /**
   * @param parts - in any order; handed over, with their buffers
   * @param isWaitedFor - whether somebody waits for it
   * @param against - of a diff: the state vector
   * @throws SDS_PersistenceError; NoMergeModule, if it will find another way the next time
   */
  run(task: MergeTask, parts: Uint8Array[], isWaitedFor: boolean, against?: Uint8Array): Promise<Uint8Array>;
}

export interface Merged {
  contents: SDS_StoreContents;
  bytes: Uint8Array;
}

/** Snapshot and patches of a store. */
export function partsOf({ Snapshot, Patches }: SDS_StoreContents): Uint8Array[] {
  return Snapshot === undefined ? Patches : [Snapshot, ...Patches];
}

/** Loads a store and merges it, if there is anything to merge. Of what was loaded, the bytes are gone. */
export async function loadMerged(
  provider: SDS_DesktopPersistenceProvider,
  merging: Merging,
  task: MergeTask,
  isWaitedFor: boolean,
  against?: Uint8Array,
): Promise<Merged> {
  for (let isFirst = true; ; isFirst = false) {
    const contents = await provider.loadStore();
    if (task === 'merge' && contents.Patches.length === 0) return { contents, bytes: new Uint8Array() };
    try {
      return { contents, bytes: await merging.run(task, partsOf(contents), isWaitedFor, against) };
    } catch (error) {
      if (!isFirst || !(error instanceof NoMergeModule)) throw error;
    }
  }
}

/** What a promise resolves with; `undefined` if it rejects, or takes longer than so many milliseconds. */
export function inTime<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const stop = later(() => resolve(undefined), ms);
    const end = (value: T | undefined) => {
      stop();
      resolve(value);
    };
    promise.then(end, () => end(undefined));
  });
}

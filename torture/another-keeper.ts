/** Another program that would have a document: it appends changes to it. */
import type { SDS_ProviderOptions } from 'sds-persistence-worker';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import * as Y from 'yjs';
import { updateOf } from './numbered-changes.ts';
import type { Trade } from './two-troubles.ts';

const onError = () => undefined;
const bytesOf = (number: number) => Buffer.from(`${number},`);

/** As adapters name the options of providers; some of these they don't have. */
export function namedByAdapters({ Acknowledge: _, TransferSnapshots: __, ...options }: SDS_ProviderOptions) {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [`${name[0]?.toLowerCase()}${name.slice(1)}`, value]),
  );
}

export const anotherKeeper: Trade['another'] = (place, id, style, given) => {
  const options = { ...namedByAdapters(given), onError };
  if (style === 'merged') {
    const documents = new MergedDocuments(place, {
      merge: new URL('children/merging-texts.ts', import.meta.url),
      ...options,
    });
    return { write: (number) => documents.append(id, bytesOf(number)), close: () => documents.destroy() };
  }
  if (style === 'automerge-repo') {
    const storage = new AutomergeRepoStorage(place, options);
    return {
      write: (number) => storage.save([id, 'incremental', `${number}`], bytesOf(number)),
      close: () => storage.close(),
    };
  }
  const persistence = new YjsPersistence(place, { Y, ...options });
  return { write: (number) => persistence.storeUpdate(id, updateOf(number)), close: () => persistence.destroy() };
};

/** Compiled, never run: a library that has declarations of its own, in which what it makes of the package's types is named. */
import { copyStores, describeDatabase, SDS_DesktopPersistenceProvider, verifyDatabase } from 'sds-persistence-worker';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import { HocuspocusPersistence, importDocuments, importFromSqlite } from 'sds-persistence-worker/hocuspocus';
import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
import { importFromLeveldb, type YjsDoc, type YjsPersistence } from 'sds-persistence-worker/yjs';

export const operations = { copyStores, describeDatabase, verifyDatabase };
export const imports = { importDocuments, importFromSqlite, importFromLeveldb };
export class Documents extends MergedDocuments {}
export class Provider extends SDS_DesktopPersistenceProvider {}

export class Storage extends AutomergeRepoStorage {
  override async loadRange(keyPrefix: string[]) {
    return super.loadRange(keyPrefix);
  }
}

export class Persistence extends HocuspocusPersistence {
  override async onStoreDocument(payload: Parameters<HocuspocusPersistence['onStoreDocument']>[0]) {
    return super.onStoreDocument(payload);
  }
}

type Payload = Parameters<HocuspocusPersistence['onLoadDocument']>[0];
export const documentOf = ({ instance, document }: Payload) => ({ instance, document });
export const openIn = <Doc extends YjsDoc>(persistence: YjsPersistence<Doc>) => persistence.getYDoc('notes');
export const chunksOf = (storage: AutomergeRepoStorage) => storage.loadRange([]);

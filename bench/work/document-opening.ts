/** Opening a document of many updates that were never merged, in a process of its own: the longest turn of its main thread. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as Yjs from 'yjs';
import { SDS_DesktopPersistenceProvider } from '../../dist/index.js';
import { documentDrivers } from '../drivers/documents.ts';
import { importPeer } from '../drivers/driver.ts';
import { processOf } from './document-server.ts';
import { typing } from './typing.ts';
import type { NamedWork } from './work.ts';

/** The package itself would have merged them. */
async function storeUnmerged(folder: string, updates: readonly Uint8Array[]): Promise<void> {
  const provider = new SDS_DesktopPersistenceProvider(join(folder, 'documents.db'), 'document');
  for (const [i, update] of updates.entries()) void provider.appendPatch(update, i + 1);
  await provider.close();
}

async function fill(who: string, folder: string, Y: typeof Yjs, updates: readonly Uint8Array[]): Promise<void> {
  if (who === 'provider-yjs') return storeUnmerged(folder, updates);
  const doc = new Y.Doc();
  const database = await documentDrivers[who]?.open(folder, Y);
  await database?.bind('document', doc);
  for (const update of updates) Y.applyUpdate(doc, update);
  await database?.settle();
  await database?.close();
  if (who === 'nothing-yjs') writeFileSync(join(folder, 'document.yjs'), Y.encodeStateAsUpdate(doc));
}

export const documentOpening: NamedWork = async ({ who, folder, sizes }) => {
  const { count = 100 } = sizes;
  const Y = await importPeer<typeof Yjs>('yjs');
  const updates = typing(Y, count);
  await fill(who, folder, Y, updates);
  const { length, ...found } = await processOf('open', who, folder).says();
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  const expected = doc.getText('text').length;
  if (length !== expected) throw new Error(`a text of ${length} characters was opened, not of ${expected}`);
  return found;
};

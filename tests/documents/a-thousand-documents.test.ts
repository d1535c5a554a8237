/** A server of many documents, which come and go: no thread, no memory and no file is left of them. */
import { expect, it } from 'vitest';
import * as Y from 'yjs';
import { livingWorkers } from '../../torture/living-workers.ts';
import { filesBeside, freshFile } from '../support/files.ts';
import { persistenceOn, textOf, type } from './documents.ts';

const names = Array.from({ length: 1000 }, (_, index) => `document ${index}`);

it('a thousand are opened, edited and closed, and are all there', async () => {
  const file = freshFile();
  const persistence = persistenceOn(file);
  const docs = names.map(() => new Y.Doc());
  await Promise.all(names.map((name, index) => persistence.bindState(name, docs[index] as Y.Doc)));
  for (const [index, doc] of docs.entries()) type(doc, `text of ${index}`);
  expect(livingWorkers.size).toBe(1);
  await Promise.all(names.map((name, index) => persistence.writeState(name, docs[index] as Y.Doc)));
  for (const doc of docs) doc.destroy();
  expect(await persistence.getAllDocNames()).toEqual([...names].sort());
  const again = names.map(() => new Y.Doc());
  await Promise.all(names.map((name, index) => persistence.bindState(name, again[index] as Y.Doc)));
  expect(again.map(textOf)).toEqual(docs.map(textOf));
  await persistence.destroy();
  expect(filesBeside(file)).toEqual(['store.db']);
});

it('a thousand updates of as many documents that are not open', async () => {
  const persistence = persistenceOn(freshFile());
  const source = new Y.Doc();
  type(source, 'the same');
  const update = Y.encodeStateAsUpdate(source);
  await Promise.all(names.map((name) => persistence.storeUpdate(name, update)));
  expect(await persistence.getAllDocNames()).toHaveLength(1000);
  await persistence.clearAll();
  expect(await persistence.getAllDocNames()).toEqual([]);
});

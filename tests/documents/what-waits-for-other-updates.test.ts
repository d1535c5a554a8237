/** An update that waits in a document for what it builds on: when that comes, it is stored, and so can be all that builds on both. */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as Y from 'yjs';
import { freshFile, freshFolder } from '../support/files.ts';
import { persistenceOn, storedText, textOf, type, updatesOf } from './documents.ts';

/** Somebody who edits a document elsewhere, and sends what changes it. */
function client() {
  const doc = new Y.Doc();
  const sent: Uint8Array[] = [];
  doc.on('update', (update) => sent.push(update));
  const taken = () => sent.splice(0);
  return { doc, taken };
}

const receive = (doc: Y.Doc, updates: Iterable<Uint8Array>) => {
  for (const update of updates) Y.applyUpdate(doc, update, 'connection');
};

it.each([
  ['is typed', (doc: Y.Doc) => type(doc, 'typed')],
  ['is deleted', (doc: Y.Doc) => doc.getText('text').delete(0, 3)],
])('what %s on a client while its document is loaded is stored, and all that follows', async (_, edit) => {
  const file = freshFile();
  const { doc, taken } = client();
  type(doc, 'stored before ');
  const before = persistenceOn(file);
  await before.storeUpdate('notes', Y.encodeStateAsUpdate(doc));
  await before.destroy();
  taken();
  const persistence = persistenceOn(file);
  const served = new Y.Doc();
  const loaded = persistence.bindState('notes', served);
  edit(doc);
  receive(served, taken());
  await loaded;
  type(doc, ' and on');
  receive(served, taken());
  await persistence.writeState('notes', served);
  expect(textOf(served)).toBe(textOf(doc));
  expect(await storedText(file)).toBe(textOf(doc));
});

it('what comes while the file can not be had is stored once it can, whatever it builds on', async () => {
  const [folder, gone] = [join(freshFolder(), 'here'), join(freshFolder(), 'gone')];
  mkdirSync(folder);
  const file = join(folder, 'documents.db');
  const [first, ...others] = updatesOf('abc') as [Uint8Array, Uint8Array, Uint8Array];
  const before = persistenceOn(file);
  await before.storeUpdate('notes', first);
  await before.destroy();
  renameSync(folder, gone);
  const persistence = persistenceOn(file, { onError: () => undefined });
  const served = new Y.Doc();
  await expect(persistence.bindState('notes', served)).rejects.toMatchObject({ code: 'open-failed' });
  receive(served, others);
  renameSync(gone, folder);
  await expect.poll(() => textOf(served)).toBe('abc');
  await persistence.destroy();
  expect(await storedText(file)).toBe('abc');
});

it('what waits in a document that can not be deleted is stored nevertheless', async () => {
  const [folder, gone] = [join(freshFolder(), 'here'), join(freshFolder(), 'gone')];
  mkdirSync(folder);
  const file = join(folder, 'documents.db');
  const [first, second] = updatesOf('ab') as [Uint8Array, Uint8Array];
  const persistence = persistenceOn(file, { onError: () => undefined });
  const served = new Y.Doc();
  await persistence.bindState('notes', served);
  receive(served, [second]);
  renameSync(folder, gone);
  await expect(persistence.clearDocument('notes')).rejects.toMatchObject({ code: 'io-error' });
  renameSync(gone, folder);
  await persistence.writeState('notes', served);
  await persistence.storeUpdate('notes', first);
  expect(await storedText(file)).toBe('ab');
});

it('a second update that waits is stored as well as one that is stored already', async () => {
  const file = freshFile();
  const [first, second, third] = updatesOf('abc') as [Uint8Array, Uint8Array, Uint8Array];
  const persistence = persistenceOn(file);
  await persistence.storeUpdate('notes', third);
  const served = new Y.Doc();
  await persistence.bindState('notes', served);
  receive(served, [second]);
  await persistence.writeState('notes', served);
  await persistence.storeUpdate('notes', first);
  expect(await storedText(file)).toBe('abc');
});

/** Servers that share a database, and changes by Redis: each stores what was changed on it, and what no other one may have stored. */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as Y from 'yjs';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { type Served, serve, storedText, unloaded } from './hocuspocus-server.ts';

const shared = (file: string) => serve(file, { ownership: 'shared' });

async function open({ server }: Served) {
  const direct = await server.hocuspocus.openDirectConnection('notes');
  const document = direct.document as Y.Doc; // it is connected
  return { document, leave: () => direct.disconnect() };
}

/** As extension-redis applies it. */
const byRedis = (document: Y.Doc, update: Uint8Array) => Y.applyUpdate(document, update, { source: 'redis' });

/** All that one server has and another one lacks. */
const synchronize = (from: Y.Doc, to: Y.Doc) => byRedis(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)));

/** Somebody who types at the end of a document that others know as well; each piece is one update. */
function typist(known?: Y.Doc) {
  const doc = new Y.Doc();
  if (known !== undefined) Y.applyUpdate(doc, Y.encodeStateAsUpdate(known));
  const sent: Uint8Array[] = [];
  doc.on('update', (update) => sent.push(update));
  const text = doc.getText('text');
  return (piece: string): Uint8Array => {
    text.insert(text.length, piece);
    return sent.pop() as Uint8Array; // it was sent just now
  };
}

it.each([
  ['', () => {}],
  [
    ', also where an extension answers with a change of its own',
    (document: Y.Doc) => void document.getText('text').observe(() => document.getMap('seen').set('length', 1)),
  ],
])(
  'a client has come to another server, before what it typed last: that is stored once Redis brings the rest%s',
  async (_, extend) => {
    const file = freshFile();
    const [one, other] = [await open(await shared(file)), await open(await shared(file))];
    extend(other.document);
    const type = typist();
    Y.applyUpdate(one.document, type('one '));
    Y.applyUpdate(other.document, type('two '));
    synchronize(one.document, other.document);
    synchronize(other.document, one.document);
    Y.applyUpdate(other.document, type('three'));
    await expect.poll(() => storedText(file)).toBe('one two three');
  },
);

it.each([
  [
    'it unloads the document',
    async (served: Served, leave: () => Promise<void>) => {
      await leave();
      await unloaded(served);
    },
  ],
  ['its extension is destroyed', ({ persistence }: Served) => persistence.destroy()],
])(
  'a server is killed before its last change is stored: another one, which has it by Redis, stores it when %s',
  async (_, end) => {
    const file = freshFile();
    const served = await shared(file);
    const { document, leave } = await open(served);
    document.getText('text').insert(0, 'first ');
    byRedis(document, typist(document)('of the killed one '));
    document.getText('text').insert('first of the killed one '.length, 'and all that follows');
    await end(served, leave);
    expect(await storedText(file)).toBe('first of the killed one and all that follows');
  },
);

it('what was loaded is not stored again by that, nor anything by who only looks', async () => {
  const file = freshFile();
  const [served, others] = [await shared(file), await shared(file)];
  const visit = async (change: (document: Y.Doc) => void) => {
    const { document, leave } = await open(served);
    change(document);
    await leave();
    await unloaded(served);
    return rowsOf(file).patches.map(({ data }) => (data as string).length / 2);
  };
  await visit((document) => document.getText('text').insert(0, 'x'.repeat(1000)));
  const { document: theirs, leave } = await open(others);
  expect(await visit((document) => byRedis(document, typist(theirs)('!')))).toEqual([
    expect.toSatisfy((size: number) => size > 1000),
    expect.toSatisfy((size: number) => size < 100),
  ]);
  await leave();
  expect(await visit(() => {})).toHaveLength(2);
});

it('a document that is deleted after Redis has brought something stays deleted', async () => {
  const file = freshFile();
  const served = await shared(file);
  const { document, leave } = await open(served);
  byRedis(document, typist()('theirs'));
  await served.persistence.delete('notes');
  await leave();
  await unloaded(served);
  await served.server.destroy();
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: [] });
});

it('a document that can not be deleted after Redis has brought something is stored as a whole', async () => {
  const [folder, gone] = [join(freshFolder(), 'here'), join(freshFolder(), 'gone')];
  mkdirSync(folder);
  const file = join(folder, 'documents.db');
  const served = await serve(file, { ownership: 'shared', onError: () => undefined });
  const { document, leave } = await open(served);
  byRedis(document, typist()('theirs'));
  renameSync(folder, gone);
  await expect(served.persistence.delete('notes')).rejects.toMatchObject({ code: 'io-error' });
  renameSync(gone, folder);
  await leave();
  await unloaded(served);
  expect(await storedText(file)).toBe('theirs');
});

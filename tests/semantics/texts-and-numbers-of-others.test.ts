/** What other programs give and store: texts that are no Unicode, numbers that are none of JavaScript's. */
import { DatabaseSync } from 'node:sqlite';
import { copyStores, describeDatabase, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';
import { ReferenceProvider } from '../support/reference-provider.ts';

/** SQLite finds the file sound, so it is not called damaged. */
const strange = (what: string) => ({
  code: 'database-corrupt',
  message: expect.stringMatching(
    new RegExp(`: a row is as no provider of this package writes it \\(${what}\\); 'verify' lists such rows`),
  ),
});

it('stores whose names differ in halves of surrogate pairs are one store, whose patches are all kept', async () => {
  const file = freshFile();
  const [first, second] = ['note 😀', 'note 🥑'].map(
    (name) => new SDS_DesktopPersistenceProvider(file, name.slice(0, 6)),
  );
  await first?.appendPatch(patchOf('one'), 1);
  await second?.appendPatch(patchOf('two'), 1);
  expect(await first?.loadPatchesSince(0)).toEqual([patchOf('one'), patchOf('two')]);
  expect(await second?.loadPatchesSince(0)).toEqual(await first?.loadPatchesSince(0));
  await first?.close();
  await second?.close();
});

it('keys, hashes and stores that are copied are read in the same way, in small calls and in large ones', async () => {
  const [file, copy] = [freshFile(), freshFile()];
  const half = 'h\ud83d';
  const provider = new SDS_DesktopPersistenceProvider(file, half);
  for (const bytes of [patchOf('small'), new Uint8Array(300_000)]) {
    await provider.saveRecord(half, bytes);
    expect(await provider.loadRecord('h\ufffd')).toEqual(bytes);
    await provider.saveValue(half, bytes);
    expect(await provider.loadValue('h\ufffd')).toEqual(bytes);
    await provider.releaseValue(half);
    expect(await provider.loadValue(half)).toBeUndefined();
  }
  await provider.close();
  expect(await copyStores(file, copy, { Stores: [half] })).toMatchObject({ Stores: 1, Records: 1 });
});

it.each(['UTF-8', 'UTF-16le', 'UTF-16be'])('a name that begins with U+FEFF keeps it, in %s', async (encoding) => {
  const [file, copy] = [freshFile(), freshFile()];
  const other = new DatabaseSync(file);
  other.exec(`PRAGMA encoding = '${encoding}'; CREATE TABLE its_own (id)`);
  other.close();
  const names = ['\ufeffnotes', 'notes'];
  const providers = names.map((name) => new SDS_DesktopPersistenceProvider(file, name));
  for (const [i, provider] of providers.entries()) {
    await provider.appendPatch(patchOf(i), 1);
    await provider.saveRecord(names[i] ?? '', patchOf(i));
    expect((await provider.loadRecords()).map(({ Key }) => Key)).toEqual([names[i]]);
  }
  expect((await providers[0]?.listStores())?.sort()).toEqual([...names].sort());
  for (const provider of providers) await provider.close();
  expect((await describeDatabase(file)).Stores?.map(({ StoreId }) => StoreId).sort()).toEqual([...names].sort());
  expect(await copyStores(file, copy)).toMatchObject({ Stores: 2, Patches: 2, Records: 2 });
  await using first = new SDS_DesktopPersistenceProvider(copy, '\ufeffnotes');
  expect(await first.loadPatchesSince(0)).toEqual([patchOf(0)]);
});

it.each([
  ['a text', 'number'],
  ['bytes', patchOf('number')],
])('a number that is %s is said to be no number of ours', async (_, number) => {
  for (const encoding of ['UTF-8', 'UTF-16']) {
    const file = freshFile();
    const other = new DatabaseSync(file);
    other.exec(`PRAGMA encoding = '${encoding}'`);
    other.close();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await provider.appendPatch(patchOf(1), 1);
    await provider.flush();
    const again = new DatabaseSync(file);
    again.prepare('INSERT INTO patches (store_id, clock, data) VALUES (?, ?, ?)').run('store', number, patchOf(2));
    again.close();
    await expect(provider.loadPatchesSince(0)).rejects.toMatchObject(strange('the number of a patch is none'));
    await provider.close();
  }
});

it('numbers beyond 2^53, as the synchronous provider stores them, are loaded in order', async () => {
  const file = freshFile();
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(patchOf(0), 1);
  await provider.flush();
  const other = new DatabaseSync(file);
  const insert = other.prepare('INSERT INTO patches (store_id, clock, data) VALUES (?, ?, ?)');
  // two of them are one and the same number in JavaScript
  for (let i = 1; i <= 40; i++) insert.run('store', 2n ** 60n + BigInt(i), patchOf(i));
  other.close();
  expect(await provider.loadPatchesSince(0)).toEqual(Array.from({ length: 41 }, (_, i) => patchOf(i)));
  await expect(provider.loadStore()).rejects.toMatchObject(strange(`.*${2n ** 60n + 40n}`));
  await provider.close();
});

it.each(['keep', 'keep-concurrent'] as const)(
  'beside numbers beyond 2^53 patches are appended: %s',
  async (OnClockCollision) => {
    const file = freshFile();
    const reference = new ReferenceProvider(file, 'store');
    await reference.appendPatch(patchOf('beyond'), 2 ** 60);
    await reference.appendPatch(patchOf(1), 1);
    await reference.close();
    const [first, second] = [1, 2].map(() => new SDS_DesktopPersistenceProvider(file, 'store', { OnClockCollision }));
    await first?.appendPatch(patchOf(2), 2);
    await second?.appendPatch(patchOf('another 2'), 2);
    await first?.appendPatch(patchOf(4), 4);
    expect(await first?.loadPatchesSince(0)).toEqual([1, 2, 'another 2', 4, 'beyond'].map(patchOf));
    await first?.close();
    await second?.close();
  },
);

it('bytes that were given as a text, which the synchronous provider stores, are said to be none', async () => {
  const file = freshFile();
  const reference = new ReferenceProvider(file, 'store');
  await reference.appendPatch('{"a":1}' as unknown as Uint8Array, 1);
  await reference.saveSnapshot('{}' as unknown as Uint8Array, 0);
  await reference.close();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await expect(provider.loadPatchesSince(0)).rejects.toMatchObject(strange('a patch is no BLOB'));
  await expect(provider.loadSnapshot()).rejects.toMatchObject(strange('a column of bytes holds a string'));
});

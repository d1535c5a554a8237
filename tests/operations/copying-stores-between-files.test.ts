/** Stores that are copied from one file into another. */
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { copyStores, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { bytesBeside, makeStoreFile, recordsTable, tables } from '../support/store-files.ts';

it('all of them, into a file that is made', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 1000, patchBytes: 20_000 });
  const target = join(freshFolder(), 'copy.db');
  expect(await copyStores(dbPath, target)).toMatchObject({ Stores: 2, Snapshots: 1, Patches: 2000, Values: 3 });
  expect(rowsOf(target)).toEqual(rowsOf(dbPath));
});

it('a store of more patches than are listed at a time', async () => {
  const sql = `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
    INSERT INTO patches SELECT 'long', i * 3, zeroblob(i % 50) FROM n`;
  const dbPath = makeStoreFile(freshFile(), { patches: 0, sql });
  const target = join(freshFolder(), 'copy.db');
  expect(await copyStores(dbPath, target)).toMatchObject({ Patches: 50_000 });
  const sum = 'SELECT count(*) AS count, sum(clock) AS clocks, sum(length(data)) AS bytes FROM patches';
  const [copied, original] = [target, dbPath].map((path) => {
    using database = new DatabaseSync(path);
    return database.prepare(sum).get();
  });
  expect(copied).toEqual(original);
});

it('stores of few rows and of some more, small and larger than what is read together', async () => {
  const counts = [1, 63, 64, 65, 200];
  const sql = [100, 100_000].flatMap((bytes) =>
    counts.map(
      (count) => `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
        INSERT INTO patches SELECT '${count} of ${bytes}', ${count} - i, randomblob(${bytes}) FROM n;`,
    ),
  );
  const dbPath = makeStoreFile(freshFile(), { sql: sql.join('') });
  const target = join(freshFolder(), 'copy.db');
  expect(await copyStores(dbPath, target)).toMatchObject({ Stores: 12, Patches: 60 + 2 * (1 + 63 + 64 + 65 + 200) });
  expect(rowsOf(target).patches).toEqual(rowsOf(dbPath).patches);
});

it('what is on the lowest row, as a provider finds it', async () => {
  const lowest = '-9223372036854775808';
  const sql = `DELETE FROM patches; INSERT INTO patches (rowid, store_id, clock, data) VALUES (${lowest}, 'notes', 13, x'01'), (1, 'notes', -12, x'02');
    UPDATE snapshots SET rowid = ${lowest}; UPDATE blobs SET rowid = ${lowest} WHERE rowid = 2;
    ${recordsTable} INSERT INTO sds_records (rowid, store_id, key, data) VALUES (${lowest}, 'notes', 'key', x'03')`;
  const dbPath = makeStoreFile(freshFile(), { sql });
  const target = join(freshFolder(), 'copy.db');
  expect(await copyStores(dbPath, target)).toMatchObject({ Snapshots: 1, Patches: 2, Records: 1, Values: 3 });
  await using provider = new SDS_DesktopPersistenceProvider(target, 'notes');
  expect(await provider.loadPatchesSince(-20)).toEqual([new Uint8Array([2]), new Uint8Array([1])]);
});

it('some of them, into a file that a provider has open, without the values', async () => {
  const dbPath = makeStoreFile(freshFile());
  const target = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(target, 'mine');
  await provider.appendPatch(patchOf('mine'), 1);
  await copyStores(dbPath, target, { Stores: ['tasks'], Values: false });
  await provider.appendPatch(patchOf('mine'), 2);
  const { patches, snapshots, blobs } = rowsOf(target);
  expect(patches.filter(({ store_id }) => store_id === 'tasks')).toHaveLength(30);
  expect(patches.filter(({ store_id }) => store_id === 'mine')).toHaveLength(2);
  expect([...snapshots, ...blobs]).toEqual([]);
});

it('a store that is there already is replaced only if asked for, and else nothing is copied', async () => {
  const dbPath = makeStoreFile(freshFile());
  const target = makeStoreFile(freshFile(), {
    sql: "DELETE FROM patches; INSERT INTO patches VALUES ('tasks', 99, x'00')",
  });
  const before = rowsOf(target);
  await expect(copyStores(dbPath, target)).rejects.toMatchObject({ code: 'file-exists' });
  expect(rowsOf(target)).toEqual(before);
  await copyStores(dbPath, target, { Overwrite: true });
  const after = rowsOf(target);
  expect(after.patches).toEqual(rowsOf(dbPath).patches);
  // each value is now used by the stores of both files
  expect(after.blobs.map(({ ref_count }) => ref_count)).toEqual([2, 2, 2]);
});

it.each([
  ['a file of other tables', 'CREATE TABLE theirs (x)'],
  ['an empty file', ''],
  ['a file of stores that keeps no log', `${tables}; INSERT INTO patches VALUES ('tasks', 99, x'00')`],
])('a copy that is stopped or refused leaves %s as it was', async (_, sql) => {
  const dbPath = makeStoreFile(freshFile(), { patches: 300, patchBytes: 20_000 });
  const target = freshFile();
  const database = new DatabaseSync(target);
  database.exec(sql);
  database.close();
  const before = bytesBeside(target);
  const control = new AbortController();
  const OnProgress = ({ Done }: { Done: number }) => Done > 0 && control.abort();
  const stopped = copyStores(dbPath, target, { Overwrite: true, Signal: control.signal, OnProgress });
  await expect(stopped).rejects.toThrow('aborted');
  expect(bytesBeside(target)).toEqual(before);
  const refused = copyStores(dbPath, target, { Stores: ['tasks', 'no such'] });
  await expect(refused).rejects.toMatchObject({ code: 'invalid-argument' });
  if (sql.includes('tasks')) await expect(copyStores(dbPath, target)).rejects.toMatchObject({ code: 'file-exists' });
  expect(bytesBeside(target)).toEqual(before);
  await copyStores(dbPath, target, { Overwrite: true });
  expect(rowsOf(target)).toEqual(rowsOf(dbPath));
});

it('a source that changes while it is read without a lock is no damaged one: it is copied as it was at one moment', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 1500, patchBytes: 5000 });
  const target = join(freshFolder(), 'copy.db');
  const before = rowsOf(dbPath);
  let isChanged = false;
  await copyStores(dbPath, target, {
    OnProgress() {
      if (isChanged) return;
      isChanged = true;
      using database = new DatabaseSync(dbPath);
      database.exec('UPDATE patches SET clock = clock + 100000');
    },
  });
  expect([before, rowsOf(dbPath)]).toContainEqual(rowsOf(target));
});

it('a source that is named twice, under whatever name, is refused: its values would get their references twice', async () => {
  const dbPath = makeStoreFile(freshFile());
  const link = join(freshFolder(), 'link.db');
  symlinkSync(dbPath, link);
  const target = join(freshFolder(), 'copy.db');
  for (const twice of [dbPath, link]) {
    const refused = copyStores([dbPath, twice], target, { Stores: [] });
    await expect(refused).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('twice'),
    });
  }
  expect(existsSync(target)).toBe(false);
});

/** It lies in its row and in the last two pages of the file. */
const LARGE_PATCH = "INSERT INTO patches VALUES ('other', 1, zeroblob(9000)); DELETE FROM snapshots";

it.each([
  ['is no file of this package', {}, undefined, 'schema-mismatch'],
  ['is damaged', { patches: 2000 }, 5 * 4096, 'database-corrupt'],
  ['is damaged where a patch goes on behind its row', { patches: 0, sql: LARGE_PATCH }, -2 * 4096, 'database-corrupt'],
])('of several sources, that which %s is named', async (_, contents, damagedFrom, code) => {
  const [sound, other] = [makeStoreFile(freshFile()), freshFile()];
  if (damagedFrom === undefined) {
    const database = new DatabaseSync(other);
    database.exec('CREATE TABLE patches (x)');
    database.close();
  } else {
    const bytes = readFileSync(makeStoreFile(other, contents));
    bytes.subarray(damagedFrom).fill(0xff);
    writeFileSync(other, bytes);
  }
  await expect(copyStores([sound, other], freshFile())).rejects.toMatchObject({
    code,
    message: expect.stringContaining(`('${other}')`),
  });
});

it('names of any kind', async () => {
  const dbPath = freshFile();
  const names = ['', 'a\0b', 'a\0c', 'quote\'"', '😀', 'line\nbreak'];
  for (const name of names) {
    await using provider = new SDS_DesktopPersistenceProvider(dbPath, name);
    await provider.appendPatch(patchOf(name), 1);
    await provider.saveSnapshot(patchOf(name), 1);
  }
  const target = join(freshFolder(), 'copy.db');
  await copyStores(dbPath, target, { Stores: names });
  for (const name of names) {
    await using provider = new SDS_DesktopPersistenceProvider(target, name);
    expect(await provider.loadPatchesSince(0)).toEqual([patchOf(name)]);
    expect(await provider.loadSnapshot()).toEqual(patchOf(name));
  }
});

it('a store that the source does not have is an error', async () => {
  const dbPath = makeStoreFile(freshFile());
  const target = join(freshFolder(), 'copy.db');
  await expect(copyStores(dbPath, target, { Stores: ['tasks', 'no such'] })).rejects.toThrow('no store "no such"');
});

describe('of a file in which not all is as a provider writes it', () => {
  it.each([
    ['a text in the place of a patch', "INSERT INTO patches VALUES ('odd', 2, 'text')"],
    ['a number that is none', "INSERT INTO patches VALUES ('odd', 'two', x'00')"],
    ['a number that no program of this family knows', "INSERT INTO patches VALUES ('odd', 9007199254740993, x'00')"],
    ['a text in the place of a snapshot', "INSERT INTO snapshots VALUES ('odd', 'text', 1)"],
    ['bytes in the place of a name', "INSERT INTO patches VALUES (x'6F6464', 2, x'00')"],
    ['a text in the place of a value', "INSERT INTO blobs VALUES ('odd', 'text', 1)"],
  ])('%s: nothing is copied, unless it is to be salvaged; then that is left out', async (_, odd) => {
    const usual = "INSERT INTO patches VALUES ('odd', 1, x'01')";
    const dbPath = makeStoreFile(freshFile(), { sql: `${usual}; ${odd}` });
    const target = join(freshFolder(), 'copy.db');
    await expect(copyStores(dbPath, target)).rejects.toMatchObject({
      code: 'database-corrupt',
      message: expect.stringContaining('no provider writes'),
    });
    expect(existsSync(target)).toBe(false);
    await copyStores(dbPath, target, { Salvage: true });
    expect(rowsOf(target)).toEqual(rowsOf(makeStoreFile(freshFile(), { sql: usual })));
  });

  it('two stores whose names are read alike: neither is dropped in silence; others can be copied by their names', async () => {
    const dbPath = makeStoreFile(freshFile(), {
      sql: "INSERT INTO patches VALUES (CAST(x'61FF' AS TEXT), 1, x'01'); INSERT INTO patches VALUES (CAST(x'61FE' AS TEXT), 1, x'02')",
    });
    const target = join(freshFolder(), 'copy.db');
    for (const Salvage of [false, true]) {
      await expect(copyStores(dbPath, target, { Salvage })).rejects.toMatchObject({
        code: 'database-corrupt',
        message: expect.stringContaining('two stores are read as that'),
      });
    }
    expect(await copyStores(dbPath, target, { Stores: ['tasks'] })).toMatchObject({ Stores: 1, Patches: 30 });
  });

  it.each(['patches', 'snapshots', 'sds_records', 'blobs'])('an index that lacks rows of %s', async (table) => {
    const dbPath = makeStoreFile(freshFile(), {
      sql: `${recordsTable} INSERT INTO sds_records VALUES ('notes', 'a', x'01')`,
    });
    const database = new DatabaseSync(dbPath);
    const place = "SELECT rootpage AS page FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?";
    const page = Number(database.prepare(place).get(table)?.page);
    database.close();
    const bytes = readFileSync(dbPath);
    const cells = (page - 1) * 4096 + 3;
    bytes.writeUInt16BE(bytes.readUInt16BE(cells) >> 1, cells);
    writeFileSync(dbPath, bytes);
    const target = join(freshFolder(), 'copy.db');
    await expect(copyStores(dbPath, target)).rejects.toMatchObject({ code: 'database-corrupt' });
    expect(existsSync(target)).toBe(false);
    const all = { Snapshots: 1, Patches: 60, Records: 1, Values: 3, LeftOut: 0 };
    expect(await copyStores(dbPath, target, { Salvage: true })).toMatchObject(all);
  });

  it('an index that leads to a patch twice: that is damage of the source', async () => {
    const dbPath = makeStoreFile(freshFile());
    const bytes = readFileSync(dbPath);
    // an entry of the index, which comes first, has the name, the number of the patch and that of the row
    bytes[bytes.indexOf(Buffer.from('tasks\u001d')) + 6] = 59; // that of patch 30
    writeFileSync(dbPath, bytes);
    const target = join(freshFolder(), 'copy.db');
    const refusal = { code: 'database-corrupt', message: expect.stringContaining(`('${dbPath}')`) };
    await expect(copyStores(dbPath, target)).rejects.toMatchObject(refusal);
    expect(await copyStores(dbPath, target, { Salvage: true })).toMatchObject({ Patches: 60, LeftOut: 0 });
  });

  it('a page that can not be read: of its store what comes before it is salvaged, and all of the others', async () => {
    const dbPath = makeStoreFile(freshFile(), { patches: 100, patchBytes: 3000 });
    const whole = rowsOf(dbPath);
    const bytes = readFileSync(dbPath);
    // the 50th patch of 'tasks', with its page
    const at = bytes.indexOf(new Uint8Array(3000).fill(50));
    bytes.fill(0xa5, at - (at % 4096), at - (at % 4096) + 4096);
    writeFileSync(dbPath, bytes);
    const target = join(freshFolder(), 'copy.db');
    await expect(copyStores(dbPath, target)).rejects.toMatchObject({ code: 'database-corrupt' });
    const { Patches } = await copyStores(dbPath, target, { Salvage: true });
    const { patches, snapshots, blobs } = rowsOf(target);
    expect(patches).toHaveLength(Patches);
    expect(Patches).toBeGreaterThan(30);
    expect(whole.patches).toEqual(expect.arrayContaining(patches));
    expect({ snapshots, blobs }).toEqual({ snapshots: whole.snapshots, blobs: whole.blobs });
  });
});

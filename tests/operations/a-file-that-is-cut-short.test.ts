/** A file that lacks its end, as a copy that was broken off: where a part of a page is missing, SQLite reads zeros. */
import { readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  restoreDatabase,
  SDS_DesktopPersistenceProvider,
  type SDS_Finding,
  verifyDatabase,
} from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

/** Its last page is one where the bytes of a snapshot go on, or one that holds rows. */
const ends = {
  'the bytes of a row': "INSERT INTO snapshots VALUES ('large', randomblob(20000), 1)",
  rows: "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO blobs SELECT 'value ' || i, randomblob(900), 1 FROM n",
};

describe.each(Object.entries(ends))('of %s, 1 byte or many', (_, sql) => {
  function makeCutFile(bytes: number): string {
    const dbPath = makeStoreFile(freshFile(), { sql });
    truncateSync(dbPath, statSync(dbPath).size - bytes);
    return dbPath;
  }

  it.each([1, 1000])('%i: no sound file is made of it', async (bytes) => {
    const dbPath = makeCutFile(bytes);
    const target = join(freshFolder(), 'target.db');
    const { Findings } = await verifyDatabase(dbPath);
    const message = expect.stringContaining(`${bytes.toLocaleString('en')} bytes are missing`);
    expect(Findings).toContainEqual(expect.objectContaining({ Code: 'structure', Message: message }));
    const refusal = { code: 'database-corrupt', message };
    await expect(backupDatabase(dbPath, target)).rejects.toMatchObject(refusal);
    await expect(restoreDatabase(dbPath, target)).rejects.toMatchObject(refusal);
    await expect(compactDatabase(dbPath)).rejects.toMatchObject(refusal);
    await expect(copyStores(dbPath, target)).rejects.toMatchObject(refusal);
    expect(await copyStores(dbPath, target, { Salvage: true })).toMatchObject({ Patches: 60 });
  });
});

it('a row that goes on behind the end costs that row, and a provider says that the file is damaged', async () => {
  const dbPath = makeStoreFile(freshFile(), { sql: ends['the bytes of a row'] });
  truncateSync(dbPath, statSync(dbPath).size - 1000);
  const saved = await copyStores(dbPath, join(freshFolder(), 'saved.db'), { Salvage: true });
  expect(saved).toMatchObject({ Snapshots: 1, Patches: 60, Values: 3, LeftOut: 1 });
  await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'large');
  await expect(provider.loadSnapshot()).rejects.toMatchObject({ code: 'database-corrupt' });
});

it.each([4096, 5096, 40_960])(
  'pages at its end, %i bytes: what is left is saved, and nothing else is made of it',
  async (bytes) => {
    const dbPath = makeStoreFile(freshFile(), { sql: ends.rows });
    truncateSync(dbPath, statSync(dbPath).size - bytes);
    const [{ Code }] = (await verifyDatabase(dbPath)).Findings as [SDS_Finding];
    expect(Code).toBe('unreadable');
    const target = join(freshFolder(), 'target.db');
    for (const work of [backupDatabase, restoreDatabase, copyStores]) {
      await expect(work(dbPath, target)).rejects.toMatchObject({ code: 'database-corrupt' });
    }
    const before = readFileSync(dbPath);
    const { LeftOut, ...saved } = await copyStores(dbPath, target, { Salvage: true });
    expect(saved).toMatchObject({ Snapshots: 1, Patches: 60 });
    expect(LeftOut).toBeGreaterThan(0);
    expect(LeftOut).toBeLessThanOrEqual(43 - saved.Values);
    expect(await verifyDatabase(target)).toMatchObject({ Sound: true, Checked: { Values: saved.Values } });
    expect(readFileSync(dbPath)).toEqual(before);
  },
);

// of each table without its first page, rows were looked for by 200,000 numbers, one by one
it('all but its first page: that nothing is left is said without looking for each row there might have been', async () => {
  const dbPath = makeStoreFile(freshFile());
  truncateSync(dbPath, 4096);
  for (let i = 0; i < 20; i++) {
    const saved = copyStores(dbPath, join(freshFolder(), 'saved.db'), { Salvage: true });
    await expect(saved).rejects.toThrow('nothing that is in this file can be read');
  }
}, 60_000);

it('no byte is missing where the end of a file lies in its log', async () => {
  const dbPath = makeStoreFile(freshFile());
  const before = statSync(dbPath).size;
  const program = new DatabaseSync(dbPath);
  program.exec('PRAGMA wal_autocheckpoint = 0');
  program.exec(ends.rows);
  expect(statSync(dbPath).size).toBe(before);
  expect(await verifyDatabase(dbPath)).toMatchObject({ Sound: true });
  expect(await copyStores(dbPath, join(freshFolder(), 'copy.db'))).toMatchObject({ Values: 43 });
  program.close();
});

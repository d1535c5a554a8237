/** A damaged first page may claim any size and any format: it is called damage, and no want of room or of rights. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  compactDatabase,
  copyStores,
  describeDatabase,
  SDS_DesktopPersistenceProvider,
  verifyDatabase,
} from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

/** The first byte of the number of free pages, the last one of the format of its schema, and what a program must know to write the file. */
const FREE_PAGES = 36;
const SCHEMA_FORMAT = 47;
const WRITE_VERSION = 18;

function makeLying(at: number, byte: number): string {
  const dbPath = makeStoreFile(freshFile());
  const bytes = readFileSync(dbPath);
  bytes[at] = byte;
  writeFileSync(dbPath, bytes);
  return dbPath;
}

it.each([0x80, 0x40])('that says that terabytes of pages are free (%i)', async (byte) => {
  const dbPath = makeLying(FREE_PAGES, byte);
  const before = readFileSync(dbPath);
  for (const operation of [compactDatabase, describeDatabase]) {
    await expect(operation(dbPath)).rejects.toMatchObject({
      code: 'database-corrupt',
      message: expect.stringContaining('pages are free'),
    });
  }
  expect((await verifyDatabase(dbPath)).Findings).toMatchObject([{ Code: 'structure' }]);
  const target = join(freshFolder(), 'saved.db');
  await copyStores(dbPath, target);
  expect(rowsOf(target)).toEqual(rowsOf(makeStoreFile(freshFile())));
  expect(readFileSync(dbPath).equals(before)).toBe(true);
});

it('that says that its schema is of an unknown format', async () => {
  const dbPath = makeLying(SCHEMA_FORMAT, 9);
  const provider = new SDS_DesktopPersistenceProvider(dbPath, 'store');
  const damage = { code: 'database-corrupt', message: expect.stringContaining('unsupported file format') };
  await expect(provider.ready()).rejects.toMatchObject(damage);
  await provider.close();
  await expect(compactDatabase(dbPath)).rejects.toMatchObject(damage);
});

it('that says that it may only be read', async () => {
  const dbPath = makeLying(WRITE_VERSION, 9);
  await expect(compactDatabase(dbPath)).rejects.toMatchObject({
    code: 'read-only',
    message: expect.stringContaining('a damaged first page'),
  });
  expect(existsSync(`${dbPath}-wal`)).toBe(false);
});

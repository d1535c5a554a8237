/**
 * The locks of a file belong to the process. So a second SQLite in it, such as better-sqlite3's, takes itself for the last one that has the
 * file open when it is closed, and removes the log that the worker writes to.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { backupDatabase, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';

interface OtherDatabase {
  exec(sql: string): void;
  close(): void;
}

const OtherSqlite = createRequire(import.meta.resolve('@hocuspocus/extension-sqlite'))('better-sqlite3') as new (
  path: string,
) => OtherDatabase;

function openAndCloseByAnotherSqlite(file: string): void {
  const other = new OtherSqlite(file);
  other.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS its_own (id INTEGER); SELECT * FROM its_own');
  other.close();
}

it('another SQLite in the process that closes the file takes no patch with it that is acknowledged afterwards', async () => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store');
  let clock = 0;
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 10; i++) await provider.appendPatch(patchOf(++clock), clock);
    openAndCloseByAnotherSqlite(file);
    expect(existsSync(`${file}-wal`), 'the log was removed').toBe(false);
    for (let i = 0; i < 10; i++) await provider.appendPatch(patchOf(++clock), clock);
    // what any other process sees, and what is left of the program if it is killed now
    expect(rowsOf(file).patches).toHaveLength(clock);
    await backupDatabase(file, `${file}.${round}`);
    expect(rowsOf(`${file}.${round}`).patches).toHaveLength(clock);
  }
  expect(await provider.loadPatchesSince(0)).toHaveLength(clock);
});

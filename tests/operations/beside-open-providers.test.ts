/** Operations in a process whose providers have the file open: they take no locks away, and nothing waits for them. */
import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import {
  backupDatabase,
  compactDatabase,
  copyStores,
  describeDatabase,
  restoreDatabase,
  SDS_DesktopPersistenceProvider,
  verifyDatabase,
} from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { makeStoreFile } from '../support/store-files.ts';

const tryAlone = `const { DatabaseSync } = await import('node:sqlite');
const database = new DatabaseSync(file);
database.exec('PRAGMA locking_mode = EXCLUSIVE');
try { database.prepare('SELECT count(*) FROM patches').get(); console.log('alone'); } catch (error) { console.log(error.message); }`;

it('another process still finds the file in use after each of them', async () => {
  const dbPath = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'store');
  for (let clock = 1; clock <= 200; clock++) void provider.appendPatch(patchOf(clock), clock);
  await provider.flush();
  const folder = freshFolder();
  const works = [
    () => describeDatabase(dbPath),
    () => verifyDatabase(dbPath),
    () => backupDatabase(dbPath, join(folder, 'backup.db')),
    () => compactDatabase(dbPath).catch(() => undefined),
    () => restoreDatabase(join(folder, 'backup.db'), dbPath, { Overwrite: true }).catch(() => undefined),
  ];
  for (const work of works) {
    await work();
    const { stdout } = await runProgram(tryAlone, dbPath, { flags: ['--disable-warning=ExperimentalWarning'] });
    expect(stdout).toBe('database is locked\n');
  }
});

it('a backup holds what was acknowledged before it', async () => {
  const dbPath = freshFile();
  const target = join(freshFolder(), 'backup.db');
  await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'store');
  for (let clock = 1; clock <= 5000; clock++) void provider.appendPatch(patchOf(clock), clock);
  await provider.flush();
  for (let clock = 5001; clock <= 9000; clock++) void provider.appendPatch(patchOf(clock), clock);
  const { Bytes, Pages } = await backupDatabase(dbPath, target);
  const clocks = rowsOf(target).patches.map(({ clock }) => Number(clock));
  expect(clocks.length).toBeGreaterThanOrEqual(5000);
  expect(clocks).toEqual(clocks.map((_, i) => i + 1));
  expect(Bytes).toBe(Pages * 4096);
});

it('a provider that is opened meanwhile can write', async () => {
  const dbPath = makeStoreFile(freshFile(), { patches: 20_000 });
  let opened: Promise<unknown> | undefined;
  const verified = verifyDatabase(dbPath, {
    OnProgress() {
      opened ??= (async () => {
        await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'tasks');
        await provider.appendPatch(patchOf('new'), 20_001);
      })();
    },
  });
  expect(await verified).toMatchObject({ Sound: true });
  await opened;
  expect(rowsOf(dbPath).patches).toHaveLength(40_001);
});

it('compact and restore refuse a file that a provider has open, and leave it as it is', async () => {
  const dbPath = makeStoreFile(freshFile());
  const backup = join(freshFolder(), 'backup.db');
  await backupDatabase(dbPath, backup);
  await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'tasks');
  await provider.appendPatch(patchOf('new'), 31);
  const rows = rowsOf(dbPath);
  await expect(compactDatabase(dbPath)).rejects.toMatchObject({
    code: 'database-busy',
    message: expect.stringContaining('close it there'),
  });
  await expect(restoreDatabase(backup, dbPath, { Overwrite: true })).rejects.toMatchObject({ code: 'database-busy' });
  expect(rowsOf(dbPath)).toEqual(rows);
});

it('into what ends with a slash, which is a folder, none of them makes a file', async () => {
  const source = freshFile();
  await makeStoreFile(source);
  const folder = freshFolder();
  const target = `${join(folder, 'saved')}/`;
  await using provider = new SDS_DesktopPersistenceProvider(source, 'store');
  for (const work of [
    () => provider.backup(target),
    () => backupDatabase(source, target),
    () => restoreDatabase(source, target),
    () => copyStores(source, target),
  ]) {
    await expect(work()).rejects.toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(/folder/) });
  }
  expect(readdirSync(folder)).toEqual([]);
});

it('under the name of the log of a database that is there, none of them makes a file: it would be taken for that log', async () => {
  const source = makeStoreFile(freshFile());
  await using provider = new SDS_DesktopPersistenceProvider(source, 'notes');
  await provider.loadPatchesSince(0);
  const other = makeStoreFile(freshFile());
  const before = readdirSync(join(other, '..'));
  for (const end of ['-wal', '-shm', '-journal']) {
    for (const work of [
      () => provider.backup(other + end, { Overwrite: true }),
      () => backupDatabase(other, other + end, { Overwrite: true }),
      () => restoreDatabase(source, other + end, { Overwrite: true }),
      () => copyStores(source, other + end),
    ]) {
      await expect(work()).rejects.toMatchObject({
        code: 'invalid-argument',
        message: expect.stringContaining(`may belong to '${realpathSync(other)}'`),
      });
    }
  }
  expect(readdirSync(join(other, '..'))).toEqual(before);
  // of no database: an ordinary name
  const { Path } = await backupDatabase(source, join(freshFolder(), 'work-journal'));
  expect(rowsOf(Path)).toEqual(rowsOf(source));
});

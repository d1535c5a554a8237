/**
 * Whoever looks at a file leaves it, its log and its journal as they are, byte for byte, and makes no other: only the log's
 * index, which SQLite makes anew from the log, may be written, as by any reader. Nothing is copied anywhere.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  backupDatabase,
  copyStores,
  describeDatabase,
  SDS_DesktopPersistenceProvider,
  verifyDatabase,
} from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { command } from '../support/command-line.ts';
import { filesBeside, freshFile, freshFolder, rowsOf } from '../support/files.ts';
import {
  bytesBeside,
  makeHalfWrittenFile,
  makeKilledFile,
  makeLogWithoutIndex,
  makeStoreFile,
} from '../support/store-files.ts';

const holding = join(import.meta.dirname, '../support/holding-a-file.ts');

/** A file that another process has open and has written to. */
async function makeOpenFile(dbPath: string, writes: boolean): Promise<string> {
  makeStoreFile(dbPath);
  const holder: ChildProcess = spawn(process.execPath, [holding, dbPath, String(writes)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    const ended = once(holder, 'exit');
    holder.kill('SIGKILL');
    await ended;
  });
  await once(holder.stdout as NodeJS.ReadableStream, 'data');
  return dbPath;
}

function empty(dbPath: string): string {
  writeFileSync(dbPath, '');
  return dbPath;
}

/** Zeros at the beginning say that the journal holds nothing, as `journal_mode = PERSIST` leaves it. */
function makeEmptyJournal(dbPath: string): string {
  makeStoreFile(dbPath);
  writeFileSync(`${dbPath}-journal`, Buffer.alloc(2000));
  return dbPath;
}

/** All that lies beside a file, the indexes of logs left out. */
function bytesOf(dbPath: string): Record<string, string> {
  return Object.fromEntries(Object.entries(bytesBeside(dbPath)).filter(([name]) => !name.endsWith('-shm')));
}

/** Name, how it is made, and how many patches of `tasks` are in it. */
const states: [string, (dbPath: string) => string | Promise<string>, number | undefined][] = [
  ['that was closed properly', (dbPath) => makeStoreFile(dbPath), 30],
  ['with a rollback journal', (dbPath) => makeStoreFile(dbPath, { sql: 'PRAGMA journal_mode = DELETE' }), 30],
  ['with a rollback journal that holds nothing', makeEmptyJournal, 30],
  ['that another process has open and has written', (dbPath) => makeOpenFile(dbPath, true), 31],
  ['that another process has open', (dbPath) => makeOpenFile(dbPath, false), 30],
  ['that a killed process has left', makeKilledFile, 31],
  ['with a log and no index', makeLogWithoutIndex, 31],
  ['of 0 bytes', empty, undefined],
];

describe.each(states)('a file %s', (_, make, patches) => {
  it('is described', async () => {
    const dbPath = await make(freshFile());
    const before = bytesOf(dbPath);
    const { Stores } = await describeDatabase(dbPath);
    const tasks = Stores?.find(({ StoreId }) => StoreId === 'tasks');
    expect(tasks?.Patches).toBe(patches);
    expect(bytesOf(dbPath)).toEqual(before);
  });

  it('is verified', async () => {
    const dbPath = await make(freshFile());
    const before = bytesOf(dbPath);
    const { Findings, Checked } = await verifyDatabase(dbPath);
    // the patch that was added last has the number 1000
    const expected = patches === undefined ? ['empty-file'] : patches === 31 ? ['patch-gap'] : [];
    expect(Findings.map(({ Code }) => Code).filter((code) => code !== 'tables-missing')).toEqual(expected);
    expect(Checked.Patches).toBe(patches === undefined ? 0 : patches + 30);
    expect(bytesOf(dbPath)).toEqual(before);
  });

  it('is looked at by the commands info, verify and watch, also where no folder is for temporary files', async () => {
    const dbPath = await make(freshFile());
    const before = bytesOf(dbPath);
    const env = { TMPDIR: '/no/such/folder' };
    for (const args of [['info'], ['verify'], ['watch', '--count', '2', '--every', '0.1']]) {
      const { exitCode } = await command([...args, dbPath], { cwd: dirname(dbPath), env });
      expect(exitCode, args[0]).toBe(args[0] === 'verify' && patches !== 30 ? 1 : 0);
      expect(bytesOf(dbPath), args[0]).toEqual(before);
    }
  });

  it.runIf(patches !== undefined)('is the source of a backup and of a copy', async () => {
    const dbPath = await make(freshFile());
    const before = bytesOf(dbPath);
    const folder = freshFolder();
    await backupDatabase(dbPath, join(folder, 'backup.db'));
    await copyStores(dbPath, join(folder, 'copy.db'));
    expect(bytesOf(dbPath)).toEqual(before);
    for (const name of ['backup.db', 'copy.db']) {
      const rows = rowsOf(join(folder, name));
      expect(rows.patches.filter(({ store_id }) => store_id === 'tasks')).toHaveLength(patches ?? 0);
    }
  });
});

it('a half-written file with the journal of a killed process is refused: what to do is said, and all of it stays', async () => {
  const dbPath = await makeHalfWrittenFile(freshFile());
  const before = bytesBeside(dbPath);
  const target = join(freshFolder(), 'target.db');
  const works = [
    () => describeDatabase(dbPath),
    () => verifyDatabase(dbPath),
    () => backupDatabase(dbPath, target),
    () => copyStores(dbPath, target),
  ];
  for (const work of works) {
    await expect(work()).rejects.toMatchObject({
      code: 'open-failed',
      message: expect.stringMatching(/rollback journal.*open it once/),
    });
    expect(bytesBeside(dbPath)).toEqual(before);
  }
  expect(filesBeside(target)).toEqual([]);
  // what the sentence says helps
  await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'tasks');
  expect(await provider.loadPatchesSince(0)).toHaveLength(30);
});

/** A file system of its own that can't be written, with what is in a folder; `undefined` where none may be mounted. */
function readOnlyCopy(folder: string): string | undefined {
  const mounted = join(freshFolder(), 'mounted');
  mkdirSync(mounted);
  const mount = (options: string) => execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', mounted]);
  try {
    mount('size=20m');
  } catch {
    return undefined; // not as this user, or not on this system
  }
  onTestFinished(() => void execFileSync('umount', ['-l', mounted]));
  for (const name of filesBeside(join(folder, 'x'))) copyFileSync(join(folder, name), join(mounted, name));
  mount('remount,ro');
  return mounted;
}

const onReadOnlyDisks: [string, (dbPath: string) => string | Promise<string>, number][] = [
  ['that was closed properly', (dbPath) => makeStoreFile(dbPath), 30],
  ['with a log and its index', makeKilledFile, 31],
];

it.each(onReadOnlyDisks)(
  'a file %s on a file system that can not be written is read, log included',
  async (_, make, patches) => {
    const dbPath = await make(freshFile());
    const mounted = readOnlyCopy(dirname(dbPath));
    if (mounted === undefined) return;
    const path = join(mounted, 'store.db');
    const { Stores } = await describeDatabase(path);
    expect(Stores?.find(({ StoreId }) => StoreId === 'tasks')?.Patches).toBe(patches);
    expect((await verifyDatabase(path)).Checked.Patches).toBe(patches + 30);
    const folder = freshFolder();
    await backupDatabase(path, join(folder, 'backup.db'));
    await copyStores(path, join(folder, 'copy.db'));
    for (const name of ['backup.db', 'copy.db']) {
      expect(rowsOf(join(folder, name)).patches).toHaveLength(patches + 30);
    }
  },
);

it('a log without an index on a file system that can not be written is refused: what to do is said', async () => {
  const mounted = readOnlyCopy(dirname(await makeLogWithoutIndex(freshFile())));
  if (mounted === undefined) return;
  const target = join(freshFolder(), 'target.db');
  const path = join(mounted, 'store.db');
  for (const work of [describeDatabase, verifyDatabase, (source: string) => backupDatabase(source, target)]) {
    await expect(work(path)).rejects.toMatchObject({
      code: 'open-failed',
      message: expect.stringMatching(/its log.*copy the file and its log/),
    });
  }
  expect(filesBeside(target)).toEqual([]);
  // what the sentence says helps
  for (const name of filesBeside(path)) copyFileSync(join(mounted, name), join(dirname(target), name));
  expect((await verifyDatabase(join(dirname(target), 'store.db'))).Checked.Patches).toBe(61);
});

it('a file that a provider of this process has open: it can write and read it as before, and others find its locks', async () => {
  const dbPath = makeStoreFile(freshFile());
  const provider = new SDS_DesktopPersistenceProvider(dbPath, 'tasks');
  onTestFinished(() => provider.close());
  await provider.appendPatch(new Uint8Array([1]), 31);
  for (const look of [describeDatabase, verifyDatabase]) await look(dbPath);
  await provider.appendPatch(new Uint8Array([2]), 32);
  expect(await provider.loadPatchesSince(30)).toHaveLength(2);
  const { stderr } = await command(['compact', dbPath], { cwd: dirname(dbPath) });
  expect(stderr).toContain('close it there and try again');
});

it.each(['missing.db', 'no/such/folder/missing.db'])('no file is made by looking for %s', async (name) => {
  const folder = freshFolder();
  for (const look of [describeDatabase, verifyDatabase]) {
    await expect(look(join(folder, name))).rejects.toMatchObject({ code: 'open-failed' });
  }
  expect(bytesBeside(join(folder, 'x'))).toEqual({});
});

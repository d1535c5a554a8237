/** Whoever looks at a file leaves it, its log and its log's index as they are, byte for byte, and makes none of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
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
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
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
  heldByOthers.add(dbPath);
  return dbPath;
}

function empty(dbPath: string): string {
  writeFileSync(dbPath, '');
  return dbPath;
}

/**
 * Without `LeaveUntouched`, SQLite notes in the index of a file that others have open that there is one more reader. Of
 * a file that nobody has open not a byte is changed.
 */
function bytesOf(dbPath: string, untouched: boolean): Record<string, string> {
  const bytes = bytesBeside(dbPath);
  if (!untouched && heldByOthers.has(dbPath)) bytes[`${dbPath}-shm`] &&= 'in use';
  return bytes;
}

const heldByOthers = new Set<string>();

/** Name, how it is made, and how many patches of `tasks` are in it. */
const states: [string, (dbPath: string) => string | Promise<string>, number | undefined][] = [
  ['that was closed properly', (dbPath) => makeStoreFile(dbPath), 30],
  ['with a rollback journal', (dbPath) => makeStoreFile(dbPath, { sql: 'PRAGMA journal_mode = DELETE' }), 30],
  ['that another process has open and has written', (dbPath) => makeOpenFile(dbPath, true), 31],
  ['that another process has open', (dbPath) => makeOpenFile(dbPath, false), 30],
  ['that a killed process has left', makeKilledFile, 31],
  ['with a log and no index', makeLogWithoutIndex, 31],
  ['half-written, with the journal of a killed process', makeHalfWrittenFile, 30],
  ['of 0 bytes', empty, undefined],
];

describe.each(states)('a file %s', (_, make, patches) => {
  it.each([true, false])('is described, LeaveUntouched: %s', async (LeaveUntouched) => {
    const dbPath = await make(freshFile());
    const before = bytesOf(dbPath, LeaveUntouched);
    const { Stores } = await describeDatabase(dbPath, { LeaveUntouched });
    const tasks = Stores?.find(({ StoreId }) => StoreId === 'tasks');
    expect(tasks?.Patches).toBe(patches);
    expect(bytesOf(dbPath, LeaveUntouched)).toEqual(before);
  });

  it.each([true, false])('is verified, LeaveUntouched: %s', async (LeaveUntouched) => {
    const dbPath = await make(freshFile());
    const before = bytesOf(dbPath, LeaveUntouched);
    const { Findings, Checked } = await verifyDatabase(dbPath, { LeaveUntouched });
    // the patch that was added last has the number 1000
    const expected = patches === undefined ? ['empty-file'] : patches === 31 ? ['patch-gap'] : [];
    expect(Findings.map(({ Code }) => Code).filter((code) => code !== 'tables-missing')).toEqual(expected);
    expect(Checked.Patches).toBe(patches === undefined ? 0 : patches + 30);
    expect(bytesOf(dbPath, LeaveUntouched)).toEqual(before);
  });

  it('is looked at by the commands info, verify and watch', async () => {
    const dbPath = await make(freshFile());
    const before = bytesBeside(dbPath);
    for (const args of [['info'], ['verify'], ['watch', '--count', '2', '--every', '0.1']]) {
      const { exitCode } = await command([...args, dbPath], { cwd: dirname(dbPath) });
      expect(exitCode).toBe(args[0] === 'verify' && patches !== 30 ? 1 : 0);
      expect(bytesBeside(dbPath), args[0]).toEqual(before);
    }
  });

  it.runIf(patches !== undefined)('is the source of a backup and of a copy', async () => {
    const dbPath = await make(freshFile());
    const before = bytesBeside(dbPath);
    const folder = freshFolder();
    await backupDatabase(dbPath, join(folder, 'backup.db'), { LeaveUntouched: true });
    await copyStores(dbPath, join(folder, 'copy.db'), { LeaveUntouched: true });
    expect(bytesBeside(dbPath)).toEqual(before);
    for (const name of ['backup.db', 'copy.db']) {
      const rows = rowsOf(join(folder, name));
      expect(rows.patches.filter(({ store_id }) => store_id === 'tasks')).toHaveLength(patches ?? 0);
      expect(rows.patches.every(({ data }) => !/^0{300}/.test(String(data)) || String(data).length === 18000)).toBe(
        true,
      );
    }
  });
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
  for (const LeaveUntouched of [true, false]) {
    for (const look of [describeDatabase, verifyDatabase]) {
      await expect(look(join(folder, name), { LeaveUntouched })).rejects.toMatchObject({ code: 'open-failed' });
    }
  }
  expect(bytesBeside(join(folder, 'x'))).toEqual({});
});

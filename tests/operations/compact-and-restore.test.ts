/** A file is compacted, a backup takes its place: what is in it afterwards, and what stays if that can't be. */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import {
  backupDatabase,
  compactDatabase,
  restoreDatabase,
  SDS_DesktopPersistenceProvider,
  SDS_PersistenceError,
} from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { filesBeside, freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { canMount } from '../support/small-disk.ts';
import { bytesBeside, makeKilledFile, makeStoreFile } from '../support/store-files.ts';

const half = "DELETE FROM patches WHERE store_id = 'tasks' AND clock < 2000";

describe('compact', () => {
  it('gives free pages back, with the same rows, rights and way of writing', async () => {
    const dbPath = makeStoreFile(freshFile(), { patches: 4000, sql: half });
    chmodSync(dbPath, 0o640);
    const rows = rowsOf(dbPath);
    const { BytesBefore, BytesAfter } = await compactDatabase(dbPath);
    expect(BytesAfter).toBeLessThan(BytesBefore * 0.9);
    expect(BytesAfter).toBe(statSync(dbPath).size);
    expect(statSync(dbPath).mode & 0o777).toBe(0o640);
    expect(filesBeside(dbPath)).toEqual(['store.db']);
    expect(readFileSync(dbPath)[18]).toBe(2); // with a log
    expect(rowsOf(dbPath)).toEqual(rows);
    await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'tasks');
    await provider.appendPatch(patchOf(1), 9000);
  });

  it('takes along tables of a program’s own whose schema has text in double quotes', async () => {
    const dbPath = freshFile();
    const program = new DatabaseSync(dbPath, { enableDoubleQuotedStringLiterals: true });
    program.exec(`CREATE TABLE kinds (kind TEXT CHECK (kind IN ("a", "b"))); CREATE INDEX by_kind ON kinds (kind) WHERE kind = "a";
      INSERT INTO kinds VALUES ('a')`);
    program.close();
    makeStoreFile(dbPath);
    await compactDatabase(dbPath);
    const again = new DatabaseSync(dbPath);
    expect(again.prepare('SELECT kind FROM kinds').all()).toMatchObject([{ kind: 'a' }]);
    again.close();
  });

  it.skipIf(!canMount)(
    'can not replace a file that is a mount of its own, as in a container, and says so',
    async () => {
      const [dbPath, saved] = [
        makeStoreFile(freshFile(), { patches: 4000, sql: half }),
        join(freshFolder(), 'saved.db'),
      ];
      await backupDatabase(dbPath, saved);
      execFileSync('mount', ['--bind', dbPath, dbPath]);
      onTestFinished(() => void execFileSync('umount', ['-l', dbPath]));
      const refused = { code: 'io-error', message: expect.stringContaining('the file is a mount of its own') };
      await expect(compactDatabase(dbPath)).rejects.toMatchObject(refused);
      await expect(restoreDatabase(saved, dbPath, { Overwrite: true })).rejects.toMatchObject(refused);
      await expect(backupDatabase(saved, dbPath, { Overwrite: true })).rejects.toMatchObject(refused);
      expect(filesBeside(dbPath)).toEqual(['store.db']);
      expect(rowsOf(dbPath)).toEqual(rowsOf(saved));
    },
  );

  it('takes what a killed process has left in the log', async () => {
    const dbPath = await makeKilledFile(freshFile());
    await compactDatabase(dbPath);
    expect(filesBeside(dbPath)).toEqual(['store.db']);
    expect(rowsOf(dbPath).patches).toHaveLength(61);
  });

  it('follows a symbolic link, and refuses a file with two names', async () => {
    const dbPath = makeStoreFile(freshFile(), { patches: 4000, sql: half });
    const link = join(freshFolder(), 'link.db');
    symlinkSync(dbPath, link);
    const { Path } = await compactDatabase(link);
    expect(Path).toBe(dbPath);
    linkSync(dbPath, join(dirname(dbPath), 'second.db'));
    await expect(compactDatabase(dbPath)).rejects.toThrow('2 names');
  });

  it('lets go of a file that it could not replace, also if what it has made can not be removed', async () => {
    const dbPath = makeStoreFile(freshFile(), { sql: 'PRAGMA journal_mode = DELETE' });
    const partial = () => join(dirname(dbPath), filesBeside(dbPath).find((name) => name.endsWith('.lock')) ?? '');
    const compacting = compactDatabase(dbPath, {
      OnProgress({ Done }) {
        const stem = partial().slice(0, -'.lock'.length);
        mkdirSync(`${stem}.db-shm`, { recursive: true });
        if (Done > 0) rmSync(`${stem}.db`);
      },
    });
    await expect(compacting).rejects.toThrow(SDS_PersistenceError);
    using database = new DatabaseSync(dbPath);
    database.exec('DELETE FROM patches');
  });

  it('leaves a file of another program as it is', async () => {
    const dbPath = makeStoreFile(freshFile(), { sql: 'DROP TABLE blobs; CREATE TABLE blobs (other TEXT)' });
    const before = bytesBeside(dbPath);
    await expect(compactDatabase(dbPath)).rejects.toMatchObject({ code: 'schema-mismatch' });
    expect(bytesBeside(dbPath)).toEqual(before);
  });
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // it was closed meanwhile
  }
}

describe('restore', () => {
  async function backupOf(dbPath: string): Promise<string> {
    const path = join(freshFolder(), 'backup.db');
    await backupDatabase(dbPath, path);
    return path;
  }

  it('makes a file that is not there', async () => {
    const dbPath = makeStoreFile(freshFile());
    const backup = await backupOf(dbPath);
    const target = freshFile();
    await restoreDatabase(backup, target);
    expect(rowsOf(target)).toEqual(rowsOf(dbPath));
  });

  it('replaces nothing unless asked to', async () => {
    const dbPath = makeStoreFile(freshFile());
    const target = makeStoreFile(freshFile(), { patches: 5 });
    const before = bytesBeside(target);
    await expect(restoreDatabase(dbPath, target)).rejects.toMatchObject({ code: 'file-exists' });
    expect(bytesBeside(target)).toEqual(before);
    await restoreDatabase(dbPath, target, { Overwrite: true });
    expect(rowsOf(target)).toEqual(rowsOf(dbPath));
  });

  it('replaces a file with the log that a killed process has left, and the log as well', async () => {
    const backup = makeStoreFile(freshFile(), { patches: 7 });
    const target = await makeKilledFile(freshFile());
    await restoreDatabase(backup, target, { Overwrite: true });
    expect(filesBeside(target)).toEqual(['store.db']);
    expect(rowsOf(target)).toEqual(rowsOf(backup));
  });

  it('replaces a damaged file, and whatever log lies beside it', async () => {
    const backup = makeStoreFile(freshFile(), { patches: 7 });
    const target = freshFile();
    writeFileSync(target, 'no database at all');
    writeFileSync(`${target}-wal`, new Uint8Array(5000).fill(3));
    await restoreDatabase(backup, target, { Overwrite: true });
    expect(filesBeside(target)).toEqual(['store.db']);
    expect(rowsOf(target)).toEqual(rowsOf(backup));
  });

  it('replaces a file that was cut, whose log can not be taken into it any more, and keeps nothing of it open', async ({
    skip,
  }) => {
    if (!existsSync('/proc/self/fd')) return skip('only Linux tells which files are open');
    const backup = makeStoreFile(freshFile(), { patches: 7 });
    const target = await makeKilledFile(freshFile(), { patches: 500, patchBytes: 2000 });
    truncateSync(target, 4096);
    await restoreDatabase(backup, target, { Overwrite: true });
    const open = readdirSync('/proc/self/fd').map((file) => linkOf(join('/proc/self/fd', file)));
    expect(open.filter((path) => path.startsWith(target))).toEqual([]);
    expect(filesBeside(target)).toEqual(['store.db']);
    expect(rowsOf(target)).toEqual(rowsOf(backup));
  });

  it.each(['its log beside it', 'its log gone'])(
    'does not replace a file whose first page is damaged while another process has it open (%s)',
    async (kept) => {
      const backup = makeStoreFile(freshFile(), { patches: 7 });
      const target = makeStoreFile(freshFile());
      const holder = fork(join(import.meta.dirname, '../support/holding-a-file.ts'), [target, 'false'], {
        stdio: ['pipe', 'pipe', 'inherit', 'ipc'],
      });
      onTestFinished(() => void holder.kill());
      await once(holder.stdout as Readable, 'data');
      if (kept === 'its log gone') rmSync(`${target}-wal`);
      const file = openSync(target, 'r+');
      writeSync(file, new Uint8Array(100).fill(0x55), 0, 100, 0);
      closeSync(file);
      for (const replace of [restoreDatabase, backupDatabase]) {
        await expect(replace(backup, target, { Overwrite: true })).rejects.toMatchObject({ code: 'database-busy' });
      }
      expect(readFileSync(target).subarray(0, 100)).toEqual(Buffer.alloc(100, 0x55));
      holder.kill();
      await once(holder, 'exit');
      await restoreDatabase(backup, target, { Overwrite: true });
      expect(rowsOf(target)).toEqual(rowsOf(backup));
    },
  );

  it('does not put a file beside the log of one that is gone', async () => {
    const backup = makeStoreFile(freshFile());
    const target = freshFile();
    writeFileSync(`${target}-wal`, new Uint8Array(5000).fill(3));
    await expect(restoreDatabase(backup, target)).rejects.toThrow('-wal');
    expect(existsSync(target)).toBe(false);
  });

  it("a journal that holds nothing any more, as a killed compact may leave it, is in nobody's way", async () => {
    const backup = makeStoreFile(freshFile());
    const target = freshFile();
    writeFileSync(`${target}-journal`, new Uint8Array(4616));
    await restoreDatabase(backup, target);
    expect(rowsOf(target)).toEqual(rowsOf(backup));
  });

  it('checks the backup before it takes the place of anything', async () => {
    const backup = makeStoreFile(freshFile(), { patches: 2000 });
    const bytes = readFileSync(backup);
    bytes.fill(0xff, 20_480, 24_576);
    writeFileSync(backup, bytes);
    const target = makeStoreFile(freshFile(), { patches: 5 });
    const before = bytesBeside(target);
    await expect(restoreDatabase(backup, target, { Overwrite: true })).rejects.toMatchObject({
      code: 'database-corrupt',
    });
    expect(bytesBeside(target)).toEqual(before);
  });

  it('refuses a file as its own backup', async () => {
    const dbPath = makeStoreFile(freshFile());
    await expect(restoreDatabase(dbPath, dbPath, { Overwrite: true })).rejects.toThrow('the same file');
  });
});

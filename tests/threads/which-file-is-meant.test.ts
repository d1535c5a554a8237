/** A name is read once, at the call, in one way, by providers, operations and the command line. */
import { chmodSync, existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { backupDatabase, copyStores, describeDatabase, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { command } from '../support/command-line.ts';
import { filesBeside, freshFile, freshFolder, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { makeStoreFile } from '../support/store-files.ts';

const operations = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

describe('a `file:` URL', () => {
  it('without a slash is taken from the working directory by every operation', async () => {
    const folder = freshFolder();
    makeStoreFile(join(folder, 'plain.db'));
    const { stderr, code } = await runProgram(
      `const { backupDatabase, describeDatabase, verifyDatabase, compactDatabase, copyStores, restoreDatabase } = await import(${operations});
process.chdir(${JSON.stringify(folder)});
await describeDatabase('file:plain.db');
await verifyDatabase('file:./plain.db');
await compactDatabase('file:plain.db?cache=private');
await backupDatabase('file:plain.db?mode=ro', 'file:back%20up.db');
await restoreDatabase('file:back%20up.db', 'file:restored.db');
await copyStores('file:plain.db', 'file:copied.db');`,
      'unused',
    );
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(readdirSync(folder).sort()).toEqual(['back up.db', 'copied.db', 'plain.db', 'restored.db']);
  });

  it('with parameters that change nothing is the file itself: one order, its sizes, its backup', async () => {
    const file = freshFile();
    await using plain = new SDS_DesktopPersistenceProvider(file, 'store');
    for (const parameters of ['?cache=private', '?cache=shared', '?mode=rwc', '?mode=rw', '?nolock=0#x', '?x=1', '']) {
      await using named = new SDS_DesktopPersistenceProvider(`file:${file}${parameters}`, 'store');
      await named.ready();
      const before = (await plain.loadPatchesSince(0)).length;
      plain.appendPatch(patchOf(before), before + 1).catch(() => {});
      expect(await named.loadPatchesSince(0), parameters).toHaveLength(before + 1);
      const { Path, FileBytes, LogBytes } = named.statistics();
      expect(Path).toBe(realpathSync(file));
      expect(FileBytes + LogBytes).toBeGreaterThan(4096);
      await named.backup(`${file}-${before}`);
      expect(rowsOf(`${file}-${before}`).patches, parameters).toHaveLength(before + 1);
    }
  });

  it('with `mode=ro` only reads, and makes no file', async () => {
    const file = freshFile();
    const missing = new SDS_DesktopPersistenceProvider(`file:${file}?mode=ro`, 'store');
    await expect(missing.ready()).rejects.toMatchObject({ code: 'open-failed' });
    await missing.close();
    expect(filesBeside(file)).toEqual([]);
    await using writer = new SDS_DesktopPersistenceProvider(file, 'store');
    await writer.appendPatch(patchOf(1), 1);
    const reader = new SDS_DesktopPersistenceProvider(`file:${file}?mode=ro`, 'store');
    expect(await reader.loadPatchesSince(0)).toHaveLength(1);
    await expect(reader.appendPatch(patchOf(2), 2)).rejects.toMatchObject({ code: 'read-only' });
    expect(reader.statistics()).toMatchObject({ Path: realpathSync(file) });
    expect(reader.statistics().FileBytes).toBeGreaterThan(0);
    await reader.close();
  });

  it('with `mode=rw` opens what is there, and makes nothing', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(`file:${file}?mode=rw`, 'store');
    await expect(provider.ready()).rejects.toMatchObject({ code: 'open-failed' });
    expect(filesBeside(file)).toEqual([]);
    makeStoreFile(file);
    await provider.ready();
    await provider.close();
  });

  it.each(['file:/tmp/x.db?vfs=unix-dotfile', 'file:/tmp/x.db?nolock=1'])(
    'whose locks others do not see is nothing for an operation: %s',
    async (url) => {
      await expect(describeDatabase(url)).rejects.toMatchObject({ code: 'invalid-argument' });
      await expect(backupDatabase(freshFile(), url)).rejects.toMatchObject({ code: 'invalid-argument' });
    },
  );

  it.each(['file://elsewhere/x.db', 'file:///tmp/%FF.db', 'file:///tmp/a%00b.db'])(
    'that can not be read is refused at once: %s',
    async (url) => {
      const refused = expect.objectContaining({ code: 'invalid-argument' });
      expect(() => new SDS_DesktopPersistenceProvider(url, 'store')).toThrow(refused);
      await expect(describeDatabase(url)).rejects.toEqual(refused);
    },
  );

  it('may have a % that escapes nothing; as an object it is refused, its text is taken', async () => {
    const file = join(freshFolder(), '50% off?.db');
    await using provider = new SDS_DesktopPersistenceProvider(pathToFileURL(file).href, 'store');
    await provider.appendPatch(patchOf(1), 1);
    expect((await describeDatabase(`file:${file.replace('?', '%3f')}`)).Path).toBe(realpathSync(file));
    const refused = expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('(URL)') });
    const url = pathToFileURL(file) as unknown as string;
    expect(() => new SDS_DesktopPersistenceProvider(url, 'store')).toThrow(refused);
    await expect(describeDatabase(url)).rejects.toEqual(refused);
  });

  it('is read by the command line as well', async () => {
    const folder = freshFolder();
    makeStoreFile(join(folder, 'plain.db'));
    mkdirSync(join(folder, 'saved'));
    const works = [
      ['info', 'file:plain.db'],
      ['verify', `file:${folder}`],
      ['backup', 'file:plain.db?mode=ro&cache=private', 'file:saved'],
      ['watch', '--count', '2', '--every', '0.1', 'file:plain.db?mode=rwc'],
    ];
    for (const args of works) {
      const { exitCode, stderr } = await command(args, { cwd: folder });
      expect({ exitCode, stderr }, args.join(' ')).toEqual({ exitCode: 0, stderr: '' });
    }
    expect(readdirSync(join(folder, 'saved'))).toEqual(['plain.db']);
  });
});

describe('a database in memory', () => {
  it.each([':memory:', 'file::memory:', 'file:x?mode=memory', 'file:/x?vfs=memdb', ''])(
    'is nothing for an operation: %j',
    async (name) => {
      await expect(describeDatabase(name)).rejects.toMatchObject({ code: 'invalid-argument' });
    },
  );

  it('with a name and `cache=shared` belongs to all providers that name it, in one order', async () => {
    const name = 'file:shared-by-name?mode=memory&cache=shared';
    await using first = new SDS_DesktopPersistenceProvider(name, 'store');
    await using second = new SDS_DesktopPersistenceProvider(name, 'store');
    await using alone = new SDS_DesktopPersistenceProvider('file:shared-by-name?mode=memory', 'store');
    void first.appendPatch(patchOf(1), 1);
    expect(await second.loadPatchesSince(0)).toHaveLength(1);
    expect(await alone.loadPatchesSince(0)).toHaveLength(0);
    expect(existsSync('shared-by-name')).toBe(false);
  });
});

describe('a path', () => {
  it('is what it was at the call: a working directory that changes afterwards moves nothing', async () => {
    const [here, there] = [freshFolder(), freshFolder()];
    makeStoreFile(join(here, 'notes.db'));
    const { stderr, code } = await runProgram(
      `const { backupDatabase, compactDatabase, copyStores, describeDatabase, restoreDatabase, verifyDatabase } = await import(${operations});
process.chdir(${JSON.stringify(here)});
const provider = new SDS_DesktopPersistenceProvider('notes.db', 'tasks');
const works = [
  backupDatabase('notes.db', 'backup.db'), describeDatabase('notes.db'), verifyDatabase('notes.db'), copyStores('notes.db', 'copy.db'),
  copyStores(['notes.db'], 'moved.db'), provider.backup('own.db'), restoreDatabase('notes.db', 'restored.db'),
];
process.chdir(${JSON.stringify(there)});
await Promise.all(works);
await provider.close();`,
      'unused',
    );
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(readdirSync(there)).toEqual([]);
    expect(readdirSync(here).sort()).toEqual(['backup.db', 'copy.db', 'moved.db', 'notes.db', 'own.db', 'restored.db']);
  });

  it('through a link and back up leads where SQLite and the system go, not where its text does', async () => {
    const folder = freshFolder();
    mkdirSync(join(folder, 'a'));
    mkdirSync(join(folder, 'b', 'c'), { recursive: true });
    symlinkSync(join(folder, 'b', 'c'), join(folder, 'a', 'link'));
    const name = `${folder}/a/link/../notes.db`;
    await using provider = new SDS_DesktopPersistenceProvider(name, 'store');
    await using other = new SDS_DesktopPersistenceProvider(join(folder, 'b', 'notes.db'), 'store');
    void provider.appendPatch(patchOf(1), 1);
    expect(await other.loadPatchesSince(0)).toHaveLength(1);
    await backupDatabase(name, `${folder}/a/link/../backup.db`);
    expect(readdirSync(join(folder, 'a'))).toEqual(['link']);
    expect(readdirSync(join(folder, 'b'))).toContain('backup.db');
  });

  it('that ends with a slash names the file, as for SQLite; one with ~ has no meaning of its own', async () => {
    const folder = freshFolder();
    mkdirSync(join(folder, '~'));
    for (const name of ['x.db/', '~/y.db']) {
      await using provider = new SDS_DesktopPersistenceProvider(`${folder}/${name}`, 'store');
      await provider.appendPatch(patchOf(1), 1);
    }
    expect([existsSync(join(folder, 'x.db')), existsSync(join(folder, '~', 'y.db'))]).toEqual([true, true]);
  });

  it('of a target that is a link to nothing yet makes the file that the link names', async () => {
    const folder = freshFolder();
    const source = makeStoreFile(join(folder, 'notes.db'));
    mkdirSync(join(folder, 'disk'));
    symlinkSync(join('disk', 'backup.db'), join(folder, 'link.db'));
    await backupDatabase(source, join(folder, 'link.db'));
    await copyStores(source, join(folder, 'link.db'), { Overwrite: true });
    expect(readdirSync(join(folder, 'disk'))).toEqual(['backup.db']);
  });

  it('that is relative, in a working directory that is gone, is told as that', async () => {
    const folder = freshFolder();
    const { stdout } = await runProgram(
      `import { rmdirSync } from 'node:fs';
const { describeDatabase } = await import(${operations});
process.chdir(${JSON.stringify(folder)});
rmdirSync(${JSON.stringify(folder)});
try { new SDS_DesktopPersistenceProvider('x.db', 'store'); } catch ({ code, message }) { console.log(code, message.includes('working directory')); }
await describeDatabase('x.db').catch(({ code, message }) => console.log(code, message.includes('working directory')));`,
      'unused',
    );
    expect(stdout).toBe('open-failed true\nopen-failed true\n');
    mkdirSync(folder);
    chmodSync(folder, 0o700);
  });
});

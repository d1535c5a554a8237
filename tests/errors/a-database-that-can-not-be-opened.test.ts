/** A database that can't be opened rejects every call, and ends nothing. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder, patchOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const packagePath = join(import.meta.dirname, '../../dist/index.js');

const cases: { what: string; make: () => string; says?: RegExp }[] = [
  {
    what: 'its folder is missing',
    make: () => join(freshFolder(), 'no', 'such', 'folder', 'store.db'),
    says: /ENOENT/,
  },
  {
    what: 'its folder is a file',
    make: () => {
      const file = freshFile();
      writeFileSync(file, '');
      return join(file, 'store.db');
    },
    says: /ENOTDIR/,
  },
  { what: 'a folder is in its place', make: () => freshFolder(), says: /this is a folder/ },
  {
    what: 'a pipe is in its place',
    make: () => {
      const file = freshFile();
      execFileSync('mkfifo', [file]);
      return file;
    },
    says: /this is not an ordinary file/,
  },
  {
    what: 'it is no database',
    make: () => {
      const file = freshFile();
      writeFileSync(file, 'This is a letter, and not a database. '.repeat(200));
      return file;
    },
  },
];

describe('a database that can not be opened', () => {
  for (const { what, make, says = /./ } of cases) {
    it(`rejects every call with open-failed: ${what}`, async () => {
      const file = make();
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      const calls: Record<string, () => Promise<unknown>> = {
        ready: () => provider.ready(),
        loadSnapshot: () => provider.loadSnapshot(),
        saveSnapshot: () => provider.saveSnapshot(patchOf(1), 1),
        loadPatchesSince: () => provider.loadPatchesSince(0),
        appendPatch: () => provider.appendPatch(patchOf(1), 1),
        prunePatches: () => provider.prunePatches(1),
        loadValue: () => provider.loadValue('hash'),
        saveValue: () => provider.saveValue('hash', patchOf(1)),
        releaseValue: () => provider.releaseValue('hash'),
        flush: () => provider.flush(),
      };
      for (const round of ['at first', 'again']) {
        for (const [name, call] of Object.entries(calls)) {
          const error = await call().then(
            () => undefined,
            (reason: unknown) => reason,
          );
          expect(error, `${name} ${round}`).toBeInstanceOf(SDS_PersistenceError);
          expect(error, `${name} ${round}`).toMatchObject({ code: 'open-failed', name: 'SDS_Error' });
          expect((error as Error).message).toContain(file);
          expect((error as Error).message).toMatch(says);
          expect((error as Error).message).toContain(name === 'flush' ? 'ready' : name);
        }
      }
      await provider.close();
    });

    it(`raises no unhandled rejection, also if nobody ever calls: ${what}`, async () => {
      const ended = await runProgram(`new SDS_DesktopPersistenceProvider(file, 'store')`, make());
      expect(ended).toMatchObject({ code: 0, stderr: '' });
    });
  }

  it('says why, with what SQLite or the system reported as the cause', async () => {
    const provider = new SDS_DesktopPersistenceProvider(join(freshFolder(), 'missing', 'store.db'), 'store');
    const error = (await provider.ready().catch((reason: unknown) => reason)) as SDS_PersistenceError;
    expect((error.cause as Error).message).toContain('unable to open');
    await provider.close();
  });

  it('names the reason, if the process has too many files open; the ones that are open already go on', async () => {
    const file = freshFile();
    const { stdout } = await runProgram(
      `import { closeSync, openSync } from 'node:fs';
      const { describeDatabase } = await import(${JSON.stringify(packagePath)});
      const before = new SDS_DesktopPersistenceProvider(file, 'store');
      await before.ready();
      await describeDatabase(file);
      const taken = [];
      try {
        for (;;) taken.push(openSync('/dev/null'));
      } catch (error) {
        console.log(error.code);
      }
      const provider = new SDS_DesktopPersistenceProvider(file + '2', 'store');
      const told = ({ code, message }) => code + ': ' + message;
      console.log(await provider.ready().catch(told));
      console.log(await describeDatabase(file).catch(told));
      await before.appendPatch(patchOf(1), 1);
      console.log((await before.loadPatchesSince(0)).length);
      for (const descriptor of taken) closeSync(descriptor);
      await provider.appendPatch(patchOf(1), 1);
      console.log((await provider.loadPatchesSince(0)).length);`,
      file,
      { node: 'sh', flags: ['-c', 'ulimit -n 100; exec "$0" "$@"', process.execPath] },
    );
    const [filled, told, described, ...loaded] = stdout.trim().split('\n');
    expect(filled).toBe('EMFILE');
    expect(told).toMatch(/^open-failed: .*EMFILE: too many open files.*; close providers .* or raise the limit/);
    expect(described).toMatch(/^open-failed: .*EMFILE: too many open files.*; close providers .* or raise the limit/);
    expect(loaded).toEqual(['1', '1']);
  });

  it('leaves its neighbours alone, under whatever name they go', async () => {
    const folder = freshFolder();
    const file = join(folder, 'notes');
    mkdirSync(`${file}-journal`); // SQLite can't open its journal there
    const neighbour = new SDS_DesktopPersistenceProvider(join(folder, 'notes-probe'), 'store');
    await neighbour.saveSnapshot(patchOf('of the neighbour'), 1);
    await neighbour.close();
    const linked = join(folder, 'other');
    mkdirSync(`${linked}-journal`);
    writeFileSync(join(folder, 'target'), 'what the link leads to');
    symlinkSync('target', `${linked}-probe`);
    const names = readdirSync(folder);
    for (const path of [file, linked]) {
      const provider = new SDS_DesktopPersistenceProvider(path, 'store');
      await expect(provider.loadSnapshot()).rejects.toMatchObject({ code: 'open-failed' });
      await provider.close();
    }
    expect(readdirSync(folder)).toEqual([...names, 'notes', 'other'].sort());
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('what the link leads to');
    const again = new SDS_DesktopPersistenceProvider(join(folder, 'notes-probe'), 'store');
    expect(await again.loadSnapshot()).toEqual(patchOf('of the neighbour'));
    await again.close();
  });

  it('goes on as soon as the trouble is over', async () => {
    const folder = join(freshFolder(), 'later');
    const provider = new SDS_DesktopPersistenceProvider(join(folder, 'store.db'), 'store');
    await expect(provider.ready()).rejects.toMatchObject({ code: 'open-failed' });
    mkdirSync(folder);
    await provider.appendPatch(patchOf(1), 1);
    await provider.ready();
    expect(await provider.loadPatchesSince(0)).toHaveLength(1);
    await provider.close();
  });

  it('a file with tables of another shape is left untouched', async () => {
    const file = freshFile();
    const database = new DatabaseSync(file);
    database.exec('CREATE TABLE patches (id INTEGER PRIMARY KEY, body TEXT)');
    database.close();
    const before = readFileSync(file);
    const provider = new SDS_DesktopPersistenceProvider(file, 'store');
    await expect(provider.appendPatch(patchOf(1), 1)).rejects.toMatchObject({ code: 'schema-mismatch' });
    await provider.close();
    expect(readFileSync(file).equals(before)).toBe(true);
    rmSync(file);
  });
});

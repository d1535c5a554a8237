/** A full disk under a repo, or a file that can't be had: without `onError` the process ends with the reason, with it all is stored later. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Repo } from '@automerge/automerge-repo';
import type { SDS_PersistenceError } from 'sds-persistence-worker';
import { AutomergeRepoStorage, type AutomergeRepoStorageOptions } from 'sds-persistence-worker/automerge-repo';
import { describe, expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';
import { canMount, fill, smallDisk } from '../support/small-disk.ts';
import { runRepoProgram } from './automerge-programs.ts';

const large = (fillWith: number) => new Uint8Array(100_000).fill(fillWith);
/** What tells large chunks apart: their difference, element by element, would take minutes. */
const printOf = (data: Uint8Array | undefined) => [data?.length, ...new Set(data)];

describe.skipIf(!canMount)('a full disk', () => {
  async function fullDisk(options: AutomergeRepoStorageOptions = {}): Promise<{
    place: string;
    makeRoom: () => void;
    told: unknown[][];
    storage: AutomergeRepoStorage;
  }> {
    const disk = smallDisk();
    const place = join(disk, 'repo.db');
    const told: unknown[][] = [];
    const storage = new AutomergeRepoStorage(place, {
      ...options,
      onError: ({ code }: SDS_PersistenceError, documentId) => told.push([code, documentId]),
    });
    await storage.save(['before'], patchOf('before'));
    await storage.save(['gone', 'a'], large(1));
    const rest = fill(disk);
    return { place, makeRoom: () => rmSync(rest), told, storage };
  }

  it('what is saved meanwhile is told of once, and stored as soon as there is room, in the order of the calls', async () => {
    const { storage, makeRoom, told } = await fullDisk();
    const calls = [
      storage.save(['document', 'a'], large(1)),
      storage.save(['document', 'b'], large(2)),
      storage.remove(['document', 'a']),
      storage.save(['document', 'b'], large(3)),
      storage.removeRange(['gone']),
      storage.save(['gone', 'b'], patchOf('anew')),
    ];
    await expect.poll(() => told).toEqual([['database-full', 'document']]);
    calls.push(storage.save(['later'], patchOf('later')));
    expect(await storage.load(['before'])).toEqual(patchOf('before'));
    makeRoom();
    await Promise.all(calls);
    const chunks = await storage.loadRange([]);
    expect(chunks.map(({ key, data }) => [...key, printOf(data)])).toEqual([
      ['before', printOf(patchOf('before'))],
      ['document', 'b', printOf(large(3))],
      ['gone', 'b', printOf(patchOf('anew'))],
      ['later', printOf(patchOf('later'))],
    ]);
    expect(told).toHaveLength(1);
    await storage.close();
  });

  it('bytes that wait for room are what they were at the call', async () => {
    const { storage, makeRoom, told } = await fullDisk();
    const bytes = large(1);
    const saved = storage.save(['document'], bytes);
    bytes.fill(9);
    await expect.poll(() => told).toHaveLength(1);
    makeRoom();
    await saved;
    expect(printOf(await storage.load(['document']))).toEqual(printOf(large(1)));
    await storage.close();
  });

  it('a storage that is closed meanwhile tries once more, and rejects what has no room; all else is there', async () => {
    const { storage, told, place } = await fullDisk();
    const saved = storage.save(['document'], large(1)).then(
      () => 'stored',
      ({ code }: SDS_PersistenceError) => code,
    );
    await expect.poll(() => told).toHaveLength(1);
    await storage.close();
    expect(await saved).toBe('database-full');
    await using again = new AutomergeRepoStorage(place);
    expect(await again.load(['document'])).toBeUndefined();
    expect(await again.load(['before'])).toEqual(patchOf('before'));
  });

  it('a storage that is closed rejects what has no room behind all that has: a repo, which does not listen, ends by that', async () => {
    const { storage, makeRoom, told, place } = await fullDisk({ overflow: 'reject', maxPendingBytes: 250_000 });
    const settled: string[] = [];
    const save = (name: string, data: Uint8Array) => {
      const settle = () => void settled.push(name);
      void storage.save([name], data).then(settle, settle);
    };
    save('too large', new Uint8Array(9_000_000));
    const others = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of others) save(name, large(2));
    await expect.poll(() => told).toEqual([['database-full', 'too large']]);
    makeRoom();
    await storage.close();
    expect(settled).toEqual([...others, 'too large']);
    await using again = new AutomergeRepoStorage(place);
    expect(await again.loadRange(['too large'])).toEqual([]);
    for (const name of others) expect(printOf(await again.load([name]))).toEqual(printOf(large(2)));
  });

  it('a repo goes on, and its documents are stored with all that was changed meanwhile', async () => {
    const { storage, makeRoom, told, place } = await fullDisk();
    const repo = new Repo({ storage });
    const handle = repo.create<{ entries: number[]; picture?: Uint8Array }>({ entries: [] });
    handle.change((doc) => {
      doc.picture = crypto.getRandomValues(new Uint8Array(60_000)); // Automerge compresses what can be
    });
    await expect.poll(() => told.map(([code]) => code)).toContain('database-full');
    for (let i = 0; i < 100; i++) handle.change((doc) => void doc.entries.push(i));
    makeRoom();
    await repo.flush();
    await storage.close();
    const later = new AutomergeRepoStorage(place);
    const found = await new Repo({ storage: later }).find<{ entries: number[]; picture?: Uint8Array }>(handle.url);
    expect(found.doc().entries).toHaveLength(100);
    expect(found.doc().picture).toHaveLength(60_000);
    await later.close();
  });

  it('without onError the process ends, with the file and the reason; what was saved before can be loaded', async () => {
    const { place, storage } = await fullDisk();
    await storage.close();
    const program = `
      const repo = new Repo({ storage: new AutomergeRepoStorage(place) });
      const handle = repo.create({ picture: crypto.getRandomValues(new Uint8Array(65_536)) });
      setTimeout(() => {}, 60_000); // it would go on`;
    const { code, stderr } = await runRepoProgram(program, place);
    expect(code).toBe(1);
    expect(stderr).toMatch(/saveRecord \('.*repo\.db'\): the disk or the database is full/);
    expect(stderr).toContain("code: 'database-full'");
    await using again = new AutomergeRepoStorage(place);
    expect(await again.load(['before'])).toEqual(patchOf('before'));
  });
});

it('what time does not change is told at once, while a call before it waits for the file', async () => {
  const file = freshFile();
  await using storage = new AutomergeRepoStorage(file, { busyTimeoutMs: 10, onError: () => other.exec('COMMIT') });
  await storage.save(['before'], patchOf('before'));
  using other = new DatabaseSync(file);
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  const settled: string[] = [];
  await Promise.allSettled([
    storage.save(['stored'], patchOf('stored')).finally(() => settled.push('stored')),
    storage.save(['refused'], 'text' as never).finally(() => settled.push('refused')),
  ]);
  expect(settled).toEqual(['refused', 'stored']);
});

it('what time does not change is no trouble of the storage: onError is not told of it', async () => {
  const told: unknown[] = [];
  await using storage = new AutomergeRepoStorage(freshFile(), { onError: (error) => told.push(error) });
  const refused = storage.save(['refused'], 'text' as never);
  const stored = storage.save(['stored'], patchOf('stored'));
  await expect(refused).rejects.toMatchObject({ code: 'invalid-argument' });
  await stored;
  expect(told).toEqual([]);
});

it('what fails once more after all was stored is told of once more', async () => {
  const file = freshFile();
  const told: string[] = [];
  await using storage = new AutomergeRepoStorage(file, {
    busyTimeoutMs: 10,
    onError({ code }) {
      told.push(code);
      other.exec('COMMIT');
    },
  });
  await storage.save(['before'], patchOf('before'));
  using other = new DatabaseSync(file);
  other.exec('PRAGMA busy_timeout = 30000');
  for (const key of ['first', 'second']) {
    other.exec('BEGIN IMMEDIATE');
    await storage.save([key], patchOf(key));
  }
  expect(told).toEqual(['database-busy', 'database-busy']);
});

it('a program that saves while the file can not be had lives until that is stored', async () => {
  const file = freshFile();
  const program = `const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    const onError = ({ code }) => {
      console.log(code);
      lock.exec('COMMIT'); // behind the attempt, and before the next one
    };
    const storage = new AutomergeRepoStorage(file, { busyTimeoutMs: 10, onError });
    await storage.save(['before'], patchOf('before'));
    const lock = new DatabaseSync(file);
    lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    await storage.save(['meanwhile'], patchOf('meanwhile'));
    console.log('stored');`;
  expect(await runRepoProgram(program, file)).toMatchObject({ code: 0, stdout: 'database-busy\nstored\n', stderr: '' });
  await using again = new AutomergeRepoStorage(file);
  expect(await again.load(['meanwhile'])).toEqual(patchOf('meanwhile'));
});

it.each([
  ['a text', 'open-failed', (file: string) => writeFileSync(file, 'this is a text, and no database')],
  [
    "another program's",
    'schema-mismatch',
    (file: string) => {
      const database = new DatabaseSync(file);
      database.exec('CREATE TABLE patches (name TEXT)');
      database.close();
    },
  ],
])('where the file is %s, which no time changes: a program that has saved ends', async (_, why, make) => {
  const file = freshFile();
  make(file);
  const program = `let attempts = 0;
    const { saveRecord } = SDS_DesktopPersistenceProvider.prototype;
    SDS_DesktopPersistenceProvider.prototype.saveRecord = function (...given) {
      if (++attempts === 3) process.exit(3); // behind the second pause
      return saveRecord.apply(this, given);
    };
    const storage = new AutomergeRepoStorage(file, { onError: ({ code }) => console.log(code) });
    storage.save(['document'], patchOf('typed'));`;
  const ended = await runRepoProgram(program, file);
  expect(ended).toEqual({ code: 0, signal: null, stdout: `${why}\n`, stderr: '' });
});

it('a program that was told that the file is locked is told as well that no time helps any more', async () => {
  const file = freshFile();
  const program = `const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    const fs = process.getBuiltinModule('node:fs');
    const lock = new DatabaseSync(file);
    lock.exec('BEGIN EXCLUSIVE; CREATE TABLE notes (text)');
    const onError = ({ code }) => {
      console.log(code);
      if (!lock.isOpen) return;
      lock.close();
      fs.writeFileSync(file, 'this is a text, and no database');
    };
    const storage = new AutomergeRepoStorage(file, { busyTimeoutMs: 10, onError });
    storage.save(['document'], patchOf('typed'));`;
  const ended = await runRepoProgram(program, file);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'database-busy\nopen-failed\n', stderr: '' });
});

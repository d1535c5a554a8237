/** The disk is full, or the file can't be had: whoever can hear it is told, and nothing is lost once it is better. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import * as Y from 'yjs';
import { freshFolder } from '../support/files.ts';
import { canMount, fill, smallDisk } from '../support/small-disk.ts';
import {
  pausesWithoutEnd,
  persistenceOn,
  runEditor,
  storedText,
  storeUnmerged,
  textOf,
  type,
  updatesOf,
} from './documents.ts';

/** More than the log of the database has room for before it grows. */
const MUCH = 'x'.repeat(300_000);

/** The last client of a document leaves while the disk is full. */
async function leftWhileFull(onError: (error: Error) => void) {
  const disk = smallDisk();
  const file = join(disk, 'documents.db');
  const persistence = persistenceOn(file, { onError });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  const rest = fill(disk);
  doc.getText('text').insert(0, MUCH);
  return { file, persistence, rest, written: persistence.writeState('notes', doc) };
}

describe.skipIf(!canMount)('a disk that is full for a while', () => {
  it('is told once, and once there is room the whole document is stored', async () => {
    const disk = smallDisk();
    const file = join(disk, 'documents.db');
    const errors: string[] = [];
    const persistence = persistenceOn(file, { onError: ({ code }, name) => errors.push(`${name} ${code}`) });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, 'before ');
    await persistence.flushDocument('notes');
    const rest = fill(disk);
    doc.getText('text').insert(0, MUCH);
    await expect.poll(() => errors).toEqual(['notes database-full']);
    for (let index = 0; index < 3; index++) doc.getText('text').insert(0, MUCH.slice(0, 100_000));
    rmSync(rest);
    type(doc, 'after');
    await persistence.writeState('notes', doc); // which does not resolve before all is stored
    await persistence.destroy();
    expect(errors.filter((error) => error !== 'notes database-full')).toEqual([]);
    expect(await storedText(file)).toBe(textOf(doc));
  });

  it('the last client leaves meanwhile, and another one comes: that one has all of it', async () => {
    const { file, persistence, rest, written } = await leftWhileFull(() => undefined);
    const next = new Y.Doc();
    await persistence.bindState('notes', next);
    await written;
    expect(textOf(next)).toBe(MUCH);
    rmSync(rest);
    type(next, '!');
    await persistence.writeState('notes', next);
    expect(await storedText(file)).toBe(`${MUCH}!`);
  });

  it.each([
    ['only looks', ''],
    ['types as well', 'y'.repeat(200_000)],
  ])(
    'the last client leaves meanwhile, another one comes, %s, and goes: all is stored once there is room',
    async (_, text) => {
      const { file, persistence, rest, written } = await leftWhileFull(() => undefined);
      const next = new Y.Doc();
      void persistence.bindState('notes', next);
      next.getText('text').insert(0, text);
      const others = persistence.writeState('notes', next);
      // each is over behind all that was called before: storing it, the whole document, and that once more
      for (let round = 0; round < 5; round++)
        await expect(persistence.setMeta('notes', 'read', MUCH)).rejects.toThrow();
      rmSync(rest);
      await Promise.all([written, others]);
      expect([...(await storedText(file))].sort().join('')).toBe(MUCH + text);
    },
  );

  it('the last client leaves meanwhile, and an observer of the document that comes throws: it has all of it, and that is told', async () => {
    const errors: string[] = [];
    const { file, persistence, rest, written } = await leftWhileFull(({ message }) => errors.push(message));
    const next = new Y.Doc();
    next.getText('text').observe(() => {
      throw new Error('on purpose');
    });
    await persistence.bindState('notes', next);
    await written;
    expect(errors).toContainEqual(expect.stringContaining('code of the program has thrown: on purpose'));
    rmSync(rest);
    await persistence.writeState('notes', next);
    expect(await storedText(file)).toBe(MUCH);
  });

  it('destroy() and onError say what could not be stored; writeState() rejects for nobody', async () => {
    const disk = smallDisk();
    const errors: string[] = [];
    const onError = ({ code }: { code: string }, name: string) => errors.push(`${name} ${code}`);
    const persistence = persistenceOn(join(disk, 'documents.db'), { onError });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    fill(disk);
    doc.getText('text').insert(0, MUCH);
    const written = persistence.writeState('notes', doc);
    await expect.poll(() => errors).toEqual(['notes database-full']);
    await expect(persistence.destroy()).rejects.toMatchObject({ code: 'database-full' });
    await written;
    expect(errors).toEqual(['notes database-full', 'notes database-full']);
  });

  it('a server that does not listen to writeState() ends: what has no room keeps no other document from being stored', async () => {
    const file = join(smallDisk(), 'documents.db');
    const names = Array.from({ length: 12 }, (_, index) => `document ${index}`);
    const ended = await runEditor(
      `const onError = ({ code }) => code === 'queue-full' || console.log(code);
      const persistence = new YjsPersistence(file, { Y, maxPendingBytes: 150_000, overflow: 'reject', onError });
      const typeAndLeave = (name, length) => {
        const doc = new Y.Doc();
        void persistence.bindState(name, doc);
        type(doc, 'all');
        doc.getText('rest').insert(0, 'x'.repeat(length));
        void persistence.writeState(name, doc).then(() => doc.destroy());
      };
      typeAndLeave('large', 9_000_000);
      for (const name of ${JSON.stringify(names)}) typeAndLeave(name, 60_000);
      await persistence.destroy().catch(({ message }) => console.log(message));`,
      file,
    );
    expect(ended).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('an update of document "large" is not stored'),
      stderr: '',
    });
    const texts = await Promise.all(names.map((name) => storedText(file, name)));
    expect(new Set(texts)).toEqual(new Set(['all']));
  });
});

describe.skipIf(!canMount)('a disk that is full', () => {
  it('a long document, which can not be compacted, is opened as it is stored', async () => {
    const disk = smallDisk();
    const file = join(disk, 'documents.db');
    const pieces = Array.from({ length: 600 }, () => 'x'.repeat(500));
    await storeUnmerged(file, updatesOf(pieces));
    const errors: string[] = [];
    const persistence = persistenceOn(file, { onError: ({ code }, name) => errors.push(`${name} ${code}`) });
    await persistence.ready();
    fill(disk);
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    expect(textOf(doc)).toBe(pieces.join(''));
    await expect.poll(() => errors).toEqual(['notes database-full']);
  });
});

it('a folder that is not there yet: the document is served, and stored and loaded once it is', async () => {
  const folder = join(freshFolder(), 'later');
  const file = join(folder, 'documents.db');
  const errors: string[] = [];
  const persistence = persistenceOn(file, { onError: ({ code }) => errors.push(code) });
  const doc = new Y.Doc();
  await expect(persistence.bindState('notes', doc)).rejects.toMatchObject({ code: 'open-failed' });
  type(doc, 'typed meanwhile');
  await expect.poll(() => errors).toEqual(['open-failed', 'open-failed']); // loading, and storing
  await expect(persistence.bindState('notes', doc)).rejects.toMatchObject({ code: 'open-failed' });
  mkdirSync(folder);
  const loaded = () =>
    persistence.bindState('notes', doc).then(
      () => 'loaded',
      () => 'not yet',
    );
  await expect.poll(loaded).toBe('loaded');
  await persistence.writeState('notes', doc);
  expect(await storedText(file)).toBe('typed meanwhile');
});

it('an update that is stored where others were not ends the pause before the next attempt: the whole document follows at once', async () => {
  pausesWithoutEnd(4000);
  const folder = join(freshFolder(), 'later');
  const file = join(folder, 'documents.db');
  const documents = await Promise.all(
    ['notes', 'plans'].map(async (name) => {
      const doc = new Y.Doc();
      const one = { name, doc, attempts: 0 };
      const counting = {
        ...Y,
        encodeStateAsUpdate: (...given: Parameters<typeof Y.encodeStateAsUpdate>) => {
          one.attempts++;
          return Y.encodeStateAsUpdate(...given);
        },
      };
      const persistence = persistenceOn(file, { Y: counting, onError: () => undefined });
      await expect(persistence.bindState(name, doc)).rejects.toMatchObject({ code: 'open-failed' });
      one.attempts = 0;
      type(doc, 'before ');
      return Object.assign(one, { persistence });
    }),
  );
  const [notes, plans] = documents as [(typeof documents)[0], (typeof documents)[0]]; // of as many names
  await expect.poll(() => documents.map(({ attempts }) => attempts)).toEqual([2, 2]);
  // behind the second attempt, once it has failed as what follows it does, there is the pause
  for (const { persistence, name } of documents) await expect(persistence.getMeta(name, 'title')).rejects.toThrow();
  mkdirSync(folder);
  type(notes.doc, 'and after');
  await expect.poll(() => storedText(file)).toBe('before and after');
  expect(notes.attempts).toBe(3);
  expect(plans.attempts).toBe(2);
});

it('the first update that is stored behind a rejected one ends the pause; more of them do not, until another one is rejected', async () => {
  pausesWithoutEnd(2000);
  const file = join(freshFolder(), 'documents.db');
  let attempts = 0;
  const counting = {
    ...Y,
    encodeStateAsUpdate: (...given: Parameters<typeof Y.encodeStateAsUpdate>) => {
      attempts++;
      return Y.encodeStateAsUpdate(...given);
    },
  };
  const persistence = persistenceOn(file, { Y: counting, onError: () => undefined });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  attempts = 0;
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  other.exec(`PRAGMA busy_timeout = 30000; CREATE TRIGGER rule BEFORE INSERT ON patches WHEN length(NEW.data) > 1000
    BEGIN SELECT RAISE(ABORT, 'too long'); END`);
  const allIsHeardOf = () => persistence.getMeta('notes', 'title');
  const text = doc.getText('text');
  text.insert(0, 'x'.repeat(2000));
  await expect.poll(() => attempts).toBe(1);
  await allIsHeardOf();
  type(doc, 'a');
  await expect.poll(() => attempts).toBe(2);
  await allIsHeardOf();
  type(doc, 'b');
  await allIsHeardOf();
  text.insert(0, 'y'.repeat(2000));
  await allIsHeardOf();
  expect(attempts).toBe(2);
  other.exec('DROP TRIGGER rule');
  type(doc, 'c');
  await expect.poll(() => storedText(file)).toBe(textOf(doc));
  expect(attempts).toBe(3);
});

it('the last client leaves while the whole document is being stored, and what came after that is rejected: it is tried again', async () => {
  const file = join(freshFolder(), 'documents.db');
  const told: string[] = [];
  const persistence = persistenceOn(file, { busyTimeoutMs: 60_000, onError: ({ code }) => void told.push(code) });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  // it takes a while, in which the program hears of what is stored before
  const numbers = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500000) SELECT max(i) FROM n';
  other.exec(`PRAGMA busy_timeout = 30000; CREATE TRIGGER rule BEFORE INSERT ON patches WHEN length(NEW.data) > 1000
    BEGIN SELECT RAISE(ABORT, 'too long') WHERE (${numbers}) > 1; END`);
  const text = doc.getText('text');
  text.insert(0, 'x'.repeat(2000));
  await expect.poll(() => told).toHaveLength(1);
  const appended = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'appendPatch');
  onTestFinished(() => appended.mockRestore());
  other.exec('BEGIN IMMEDIATE');
  text.delete(0, 2000);
  await expect.poll(() => appended.mock.calls).toHaveLength(2); // with all of it, which waits for the lock
  text.insert(0, MUCH);
  const written = persistence.writeState('notes', doc);
  other.exec('COMMIT');
  await expect.poll(() => appended.mock.settledResults[3]?.type).toBe('rejected'); // with all of it again
  other.exec('DROP TRIGGER rule');
  await written;
  expect(await storedText(file)).toBe(MUCH);
});

it('an update that is rejected after vain attempts to load its document is tried again as soon as any other', async () => {
  pausesWithoutEnd(4000);
  const file = join(freshFolder(), 'missing', 'documents.db');
  type Loading = SDS_DesktopPersistenceProvider & { loadParcel(): unknown }; // which is not for programs
  const loads = vi.spyOn(SDS_DesktopPersistenceProvider.prototype as Loading, 'loadParcel');
  onTestFinished(() => loads.mockRestore());
  const failed = () => loads.mock.settledResults.filter(({ type }) => type === 'rejected').length;
  const persistence = persistenceOn(file, { onError: () => undefined });
  const doc = new Y.Doc();
  await expect(persistence.bindState('notes', doc)).rejects.toMatchObject({ code: 'open-failed' });
  await expect.poll(failed).toBe(3); // after pauses of one second and two
  // of the pause of four seconds that there is now, it does not wait for the end, but for one of one second
  type(doc, 'x');
  await expect.poll(failed).toBe(5);
});

it('without onError a warning says once for each document that it is not stored', async () => {
  const warnings: string[] = [];
  const warn = (warning: Error & { code?: string }) => void warnings.push(`${warning.code}: ${warning.message}`);
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  const persistence = persistenceOn(join(freshFolder(), 'missing', 'documents.db'));
  for (const name of ['one', 'two']) {
    const doc = new Y.Doc();
    await expect(persistence.bindState(name, doc)).rejects.toMatchObject({ code: 'open-failed' });
    type(doc, 'some');
  }
  await expect.poll(() => warnings.length).toBe(4);
  expect(warnings.map((warning) => warning.replace(/" .*|": .*/s, '')).sort()).toEqual([
    'SDS_LOAD_FAILED: document "one',
    'SDS_LOAD_FAILED: document "two',
    'SDS_WRITE_FAILED: document "one',
    'SDS_WRITE_FAILED: document "two',
  ]);
});

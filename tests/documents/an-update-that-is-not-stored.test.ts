/** An update of a document that is not open could not be stored: its caller and `onError` are told, each once. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as immediate } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished, vi } from 'vitest';
import * as Y from 'yjs';
import { freshFile, freshFolder } from '../support/files.ts';
import { pausesWithoutEnd, persistenceOn, updateOf } from './documents.ts';

it('the end of the persistence does not tell it again', async () => {
  pausesWithoutEnd(1000); // the document is not released before that, which would have waited for it
  const folder = join(freshFolder(), 'later');
  const errors: string[] = [];
  const onError = ({ code }: { code: string }, name: string) => void errors.push(`${name} ${code}`);
  const persistence = persistenceOn(join(folder, 'documents.db'), { onError });
  await expect(persistence.storeUpdate('notes', updateOf('x'))).rejects.toMatchObject({ code: 'open-failed' });
  mkdirSync(folder);
  await persistence.destroy();
  expect(errors).toEqual(['notes open-failed']);
});

it('without onError a warning says what to do: nothing else has that update', async () => {
  const persistence = persistenceOn(join(freshFolder(), 'missing', 'documents.db'));
  const warned = once(process, 'warning');
  await expect(persistence.storeUpdate('notes', updateOf('x'))).rejects.toMatchObject({ code: 'open-failed' });
  const [{ message }] = await warned;
  expect(message).toMatch(/^document "notes": an update of it was not stored: append it again: appendPatch/);
  await persistence.destroy();
});

it('without onError a warning comes, too, where another one has told of a call that was refused', async () => {
  const warnings: string[] = [];
  const warn = ({ message }: Error) => void warnings.push(message);
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  const persistence = persistenceOn(join(freshFolder(), 'missing', 'documents.db'));
  await expect(persistence.storeUpdate('notes', 'text' as never)).rejects.toMatchObject({ code: 'invalid-argument' });
  for (let round = 0; round < 2; round++) {
    await expect(persistence.storeUpdate('notes', updateOf('x'))).rejects.toMatchObject({ code: 'open-failed' });
  }
  await immediate();
  expect(warnings).toEqual([
    expect.stringContaining('update must be a Uint8Array'),
    expect.stringContaining('could not be opened'),
  ]);
});

it('the end of the persistence tells it if it has waited for that itself', async () => {
  const file = freshFile();
  const errors: string[] = [];
  const persistence = persistenceOn(file, { busyTimeoutMs: 500, onError: ({ code }) => void errors.push(code) });
  await persistence.ready();
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  const stored = expect(persistence.storeUpdate('notes', updateOf('x'))).rejects.toMatchObject({
    code: 'database-busy',
  });
  await expect(persistence.destroy()).rejects.toMatchObject({ code: 'database-busy' });
  await stored;
  expect(errors).toEqual(['database-busy']);
});

it('at the end, each document that is open is told by its name, also if an earlier attempt was, and the rejection names them', async () => {
  const file = freshFile();
  let told: string[] = [];
  const onError = ({ code }: { code: string }, name: string) => void told.push(`${name} ${code}`);
  const persistence = persistenceOn(file, { busyTimeoutMs: 100, onError });
  const [one, two, other] = [new Y.Doc(), new Y.Doc(), new Y.Doc()];
  const docs = Object.entries({ one, two, other });
  for (const [name, doc] of docs) await persistence.bindState(name, doc);
  const lock = new DatabaseSync(file);
  onTestFinished(() => lock.close());
  lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  for (const doc of [one, two]) doc.getText('text').insert(0, 'x');
  await expect.poll(() => told.toSorted()).toEqual(['one database-busy', 'two database-busy']);
  told = [];
  other.getText('text').insert(0, 'x');
  await expect(persistence.destroy()).rejects.toMatchObject({
    code: 'database-busy',
    message: expect.stringMatching(/^an update of document "one" \(and of 2 more\) is not stored: appendPatch/),
  });
  expect(told.toSorted()).toEqual(['one database-busy', 'other database-busy', 'two database-busy']);
});

it('the document is released some seconds later, and that does not tell it again', async () => {
  const file = freshFile();
  const errors: string[] = [];
  const persistence = persistenceOn(file, {
    busyTimeoutMs: 4000, // it is released while the update waits
    maxPendingBytes: 1_000_000,
    overflow: 'reject',
    onError: ({ code }, name) => void errors.push(`${name} ${code}`),
  });
  await persistence.ready();
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  other.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  const closed = vi.spyOn(SDS_DesktopPersistenceProvider.prototype, 'close');
  onTestFinished(() => closed.mockRestore());
  const late = expect(persistence.storeUpdate('late', updateOf('x'.repeat(1_000_000)))).rejects.toThrow();
  const early = expect(persistence.storeUpdate('early', updateOf('x'.repeat(900_000)))).rejects.toThrow();
  await Promise.all([late, early]);
  await expect.poll(() => closed.mock.results).toHaveLength(2);
  await Promise.all(closed.mock.results.map(({ value }) => value));
  await immediate();
  expect(errors).toEqual(['early queue-full', 'late database-busy']);
});

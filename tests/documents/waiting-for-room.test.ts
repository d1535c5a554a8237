/** Where calls are refused for want of room (`overflow: 'reject'`), documents wait for it. */
import { setImmediate as immediate } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import * as Y from 'yjs';
import { freshFile } from '../support/files.ts';
import { lock } from '../support/lock.ts';
import { persistenceOn, runEditor, storedText, type, updateOf } from './documents.ts';

const NAMES = Array.from({ length: 12 }, (_, index) => `document ${index}`);
/** Room for four of the documents, each of which has 300 kB. */
const narrow = { maxPendingBytes: 1_000_000, overflow: 'reject', busyTimeoutMs: 100 } as const;
const LONG = 'x'.repeat(300_000);
/** While this waits, there is no room for another one of them. */
const FULL = 'x'.repeat(narrow.maxPendingBytes);

beforeAll(() => {
  process.env.SDS_PERSISTENCE_WORKERS = '1'; // all files of a worker share its memory
});

/** Some documents of which together there is more than there is room for, and edits that could not be stored. */
async function withRejectedEdits() {
  const file = freshFile();
  const told = new Set<string>();
  const persistence = persistenceOn(file, { ...narrow, onError: (_, name) => void told.add(name) });
  const docs = NAMES.map(() => new Y.Doc());
  for (const [index, name] of NAMES.entries()) {
    const doc = docs[index] as Y.Doc;
    await persistence.bindState(name, doc);
    type(doc, 'one ');
    doc.getText('rest').insert(0, LONG);
    await persistence.getAllDocNames(); // by then it is stored
  }
  const unlock = lock(file);
  for (const doc of docs) type(doc, 'two');
  await expect.poll(() => [...told]).toHaveLength(NAMES.length);
  unlock();
  return { file, persistence, docs };
}

const storedTexts = (file: string) => Promise.all(NAMES.map((name) => storedText(file, name)));

it('the end stores all documents that could not be stored before, however little room there is', async () => {
  const { file, persistence } = await withRejectedEdits();
  await persistence.destroy();
  expect(new Set(await storedTexts(file))).toEqual(new Set(['one two']));
});

describe('a document', () => {
  it('waits as well while the memory is full of what waits for another file', async () => {
    const elsewhere = freshFile();
    const others = persistenceOn(elsewhere, { ...narrow, busyTimeoutMs: 60_000 });
    await others.ready();
    const file = freshFile();
    const told: string[] = [];
    const persistence = persistenceOn(file, { ...narrow, onError: ({ code }) => void told.push(code) });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    const unlock = lock(elsewhere);
    const stored = others.storeUpdate('notes', updateOf(FULL));
    doc.getText('rest').insert(0, LONG);
    await expect.poll(() => told).toEqual(['queue-full']);
    type(doc, 'two');
    const destroyed = persistence.destroy();
    await immediate(); // it has had its first attempt
    unlock();
    await Promise.all([destroyed, stored]);
    expect(await storedText(file)).toBe('two');
  });

  it('that is merged while the memory is full of what waits for another file is merged once there is room', async () => {
    const persistence = persistenceOn(freshFile(), narrow);
    for (let times = 0; times < 2; times++) await persistence.storeUpdate('notes', updateOf(LONG));
    const elsewhere = freshFile();
    const others = persistenceOn(elsewhere, { ...narrow, busyTimeoutMs: 60_000 });
    await others.ready();
    const unlock = lock(elsewhere);
    const stored = others.storeUpdate('notes', updateOf(FULL));
    const { prototype } = SDS_DesktopPersistenceProvider;
    const attempts = vi.spyOn(prototype as unknown as { compactByParcel(): Promise<boolean> }, 'compactByParcel');
    onTestFinished(() => attempts.mockRestore());
    const merged = persistence.flushDocument('notes');
    await expect.poll(() => attempts.mock.calls).not.toHaveLength(0);
    unlock();
    await Promise.all([merged, stored]);
    const [one] = await persistence.getAllDocStateVectors();
    expect(one?.clock).toBe(0);
  });

  it('of which more is to be stored than there is ever room for is stored as well', async () => {
    const file = freshFile();
    const told: string[] = [];
    const persistence = persistenceOn(file, { ...narrow, onError: ({ code }) => void told.push(code) });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    const other = persistence.storeUpdate('other', updateOf(FULL));
    type(doc, 'all of it');
    doc.getText('rest').insert(0, 'x'.repeat(2 * narrow.maxPendingBytes));
    await persistence.destroy();
    await other;
    expect(told).toEqual(['queue-full']);
    expect(await storedText(file)).toBe('all of it');
  });

  it('of which a change is refused while all of it is being stored is stored once more', async () => {
    const file = freshFile();
    const doc = new Y.Doc();
    const insert = () => doc.getText('rest').insert(0, LONG);
    let whole = 0;
    const encodeStateAsUpdate: typeof Y.encodeStateAsUpdate = (...args) => {
      // behind the first one, which was encoded as it was bound
      if (++whole === 2) queueMicrotask(insert);
      return Y.encodeStateAsUpdate(...args);
    };
    const told: string[] = [];
    const onError = ({ code }: { code: string }) => void told.push(code);
    const persistence = persistenceOn(file, { ...narrow, Y: { ...Y, encodeStateAsUpdate }, onError });
    await persistence.storeUpdate('notes', updateOf(FULL));
    await persistence.flushDocument('notes'); // a large snapshot: what follows is stored by no compaction
    await persistence.bindState('notes', doc);
    const other = persistence.storeUpdate('other', updateOf(FULL));
    insert();
    await other;
    await expect.poll(() => whole).toBe(3);
    type(doc, 'all of it');
    await persistence.destroy();
    expect(told).toEqual(['queue-full']);
    expect(await storedText(file)).toBe(`${FULL}all of it`);
  });

  it('that is deleted while it waits for room stays deleted', async () => {
    const file = freshFile();
    const told: string[] = [];
    const persistence = persistenceOn(file, {
      ...narrow,
      busyTimeoutMs: 60_000,
      onError: ({ code }) => void told.push(code),
    });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    const unlock = lock(file);
    const other = persistence.storeUpdate('other', updateOf(FULL));
    doc.getText('rest').insert(0, LONG);
    const written = persistence.writeState('notes', doc);
    await expect.poll(() => told).toEqual(['queue-full']);
    const cleared = persistence.clearDocument('notes');
    unlock();
    await Promise.all([other, cleared, written]);
    expect(await persistence.getAllDocNames()).toEqual(['other']);
  });

  it('that is deleted while one that is left, and has handed it over, waits for room stays deleted', async () => {
    const file = freshFile();
    const persistence = persistenceOn(file, { ...narrow, maxPendingBytes: 100_000, onError: () => {} });
    const [left, next] = [new Y.Doc(), new Y.Doc()];
    await persistence.bindState('notes', left);
    const unlock = lock(file);
    left.getText('rest').insert(0, 'x'.repeat(40_000));
    const released = persistence.writeState('notes', left);
    const bound = persistence.bindState('notes', next);
    const rest = updateOf('x'.repeat(50_000)); // beside what is handed over
    const { promise: stored, resolve } = Promise.withResolvers<void>();
    next.once('update', () => {
      resolve(persistence.storeUpdate('other', rest));
      setImmediate(unlock); // by then the one that is left is refused
    });
    await stored;
    await persistence.clearDocument('notes');
    await Promise.all([released, bound]);
    expect(await persistence.getAllDocNames()).toEqual(['other']);
  });
});

it.each([
  ['in the turn in which it is refused', 'end();'],
  ['behind that turn', 'setImmediate(end);'],
])('what is refused is stored as the process ends, %s', async (_, end) => {
  const file = freshFile();
  const ended = await runEditor(
    `const options = { maxPendingBytes: 20_000, overflow: 'reject', busyTimeoutMs: 60_000, onError: ({ code }) => console.log(code) };
    const persistence = new YjsPersistence(file, { Y, ...options });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    const lock = new (process.getBuiltinModule('node:sqlite').DatabaseSync)(file);
    lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    for (let times = 0; times < 20; times++) doc.getText('rest').insert(0, 'x'.repeat(options.maxPendingBytes));
    type(doc, 'two');
    const end = () => {
      lock.exec('ROLLBACK');
      process.exit();
    };
    ${end}`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(await storedText(file)).toBe('two');
});

it.each([
  [
    'in the turn in which it is refused',
    'process.exit();',
    /^$/,
    /^.* document "notes" in .* may not be stored as the process ends\n$/,
  ],
  ['behind that turn', 'setImmediate(() => process.exit());', /^(queue-full\n)+$/, /^$/],
])(
  'what is refused of a document that is not bound is told as the process ends, %s',
  async (_, end, stdout, stderr) => {
    const ended = await runEditor(
      `const onError = ({ code }) => console.log(code);
    const persistence = new YjsPersistence(file, { Y, maxPendingBytes: 20_000, overflow: 'reject', onError });
    await persistence.ready();
    const doc = new Y.Doc();
    doc.getText('rest').insert(0, 'x'.repeat(3000));
    const lock = new (process.getBuiltinModule('node:sqlite').DatabaseSync)(file);
    lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE'); // else each might be stored before the next one
    for (let times = 0; times < 30; times++) persistence.storeUpdate('notes', Y.encodeStateAsUpdate(doc));
    lock.exec('ROLLBACK');
    ${end}`,
      freshFile(),
    );
    expect(ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(stdout),
      stderr: expect.stringMatching(stderr),
    });
  },
);

it('a program whose last step is the end of its persistence does not end before that', async () => {
  const file = freshFile();
  const program = `const persistence = new YjsPersistence(file, { Y, maxPendingBytes: 1_000_000, overflow: 'reject', onError() {} });
  for (let n = 0; n < 12; n++) {
    const doc = new Y.Doc();
    void persistence.bindState('document ' + n, doc);
    type(doc, 'all');
    doc.getText('rest').insert(0, 'x'.repeat(300_000));
  }
  await persistence.destroy();`;
  expect(await runEditor(program, file)).toMatchObject({ code: 0, stderr: '' });
  expect(new Set(await storedTexts(file))).toEqual(new Set(['all']));
});

/** However a server ends: what was typed is there. */
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { freshFile, rowsOf } from '../support/files.ts';
import { runEditor, storedText, storeUnmerged, updatesOf } from './documents.ts';

const editing = `
const persistence = new YjsPersistence(file, { Y });
const doc = new Y.Doc();
const bound = persistence.bindState('notes', doc);
`;
const typing = "type(doc, 'x'.repeat(1500));";

/** With each attempt to store the whole document noted: one that goes on and on is ended. */
const watched = `
let attempts = 0;
let onAttempt = () => {
  if (attempts === 6) process.exit(3);
};
const encodeStateAsUpdate = (...given) => {
  attempts++;
  onAttempt();
  return Y.encodeStateAsUpdate(...given);
};
const onError = ({ code }) => console.log(code);
const persistence = new YjsPersistence(file, { Y: { ...Y, encodeStateAsUpdate }, busyTimeoutMs: 10, onError });
const doc = new Y.Doc();
`;
/** By another program, once the document is bound. */
const locked = `
await persistence.bindState('notes', doc);
const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
globalThis.lock = new DatabaseSync(file); // else it is closed once nobody refers to it
lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
attempts = 0;
`;

it.each([
  ['process.exit() in the turn of the last character', `await bound; ${typing} process.exit(0)`, 0],
  ['process.exit() before the document is loaded', `${typing} process.exit(0)`, 0],
  ['process.exit() while it is merged', `await bound; ${typing} setTimeout(() => process.exit(0), 20)`, 0],
  ['an uncaught error', `await bound; ${typing} throw new Error('on purpose')`, 1],
  ['a rejection that nobody handles', `await bound; ${typing} Promise.reject(new Error('on purpose'))`, 1],
  ['nothing left to do', `await bound; ${typing}`, 0],
  ['the end of the program before the document is loaded', typing, 0],
  ['destroy()', `await bound; ${typing} await persistence.destroy()`, 0],
])('%s: all is there', async (_, end, code) => {
  const file = freshFile();
  const ended = await runEditor(editing + end, file);
  expect(ended).toMatchObject({ code, signal: null });
  if (code === 0) expect(ended.stderr).toBe('');
  expect(await storedText(file)).toBe('x'.repeat(1500));
});

it('process.exit() while an update waits for another one: it is not forgotten', async () => {
  const file = freshFile();
  const [first, second] = updatesOf('ab') as [Uint8Array, Uint8Array];
  const ended = await runEditor(
    `${editing} await bound;
    Y.applyUpdate(doc, new Uint8Array([${second}]));
    process.exit(0);`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  await storeUnmerged(file, [first]);
  expect(await storedText(file)).toBe('ab');
});

it('process.exit() behind a listener that has thrown, by which Yjs tells nobody of changes: they are there', async () => {
  const file = freshFile();
  const ended = await runEditor(
    `${editing} await bound;
    doc.once('updateV2', () => { throw new Error('on purpose'); });
    try { type(doc, 'a'); } catch {}
    type(doc, 'bc');
    process.exit(0);`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(await storedText(file)).toBe('abc');
});

it('a program that waits for a merge behind one that began by itself lives until both are done', async () => {
  const file = freshFile();
  const ended = await runEditor(
    `${editing}
    await bound; ${typing}
    await persistence.flushDocument('notes');
    console.log('merged');`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'merged\n', stderr: '' });
  expect(rowsOf(file)).toMatchObject({ snapshots: [{ store_id: 'notes' }], patches: [] });
});

it('a program that releases a document while the file can not be had lives until it is stored', async () => {
  const file = freshFile();
  const ended = await runEditor(
    `const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    let lock;
    let attempts = 0;
    const encodeStateAsUpdate = (doc) => {
      if (lock !== undefined && ++attempts === 2) lock.exec('COMMIT'); // behind the first pause
      return Y.encodeStateAsUpdate(doc);
    };
    const onError = ({ code }) => console.log(code);
    const persistence = new YjsPersistence(file, { Y: { ...Y, encodeStateAsUpdate }, busyTimeoutMs: 10, onError });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    lock = new DatabaseSync(file);
    lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    type(doc, 'typed');
    await persistence.writeState('notes', doc);
    console.log('stored');`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'database-busy\nstored\n', stderr: '' });
  expect(await storedText(file)).toBe('typed');
});

const lastAttemptFailed = expect.stringMatching(
  /^\(SDS_PersistenceWarning\) a call could not be carried out as the process ends: .*\n.* an update of document "[^"]*" in '[^']*' may not be stored as the process ends\n$/,
);

it.each([
  ['process.exit()', 'process.exit(0);', 0],
  ['an error that nobody catches', "throw new Error('on purpose');", 1],
])(
  '%s, once there may be written what could not before, and before that was tried again: all is there',
  async (_, end, code) => {
    const file = freshFile();
    const ended = await runEditor(
      `const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    const told = new Set();
    const onError = (_, name) => {
      if (told.add(name).size < 3) return;
      lock.exec('COMMIT');
      const whole = Y.encodeStateAsUpdate;
      of.encodeStateAsUpdate = (doc) => {
        if (doc === docs[0]) throw new Error('one that keeps no other from being stored');
        return whole(doc);
      };
      setImmediate(() => { ${end} });
    };
    const of = { ...Y };
    const persistence = new YjsPersistence(file, { Y: of, busyTimeoutMs: 10, onError });
    const docs = [new Y.Doc(), new Y.Doc(), new Y.Doc()];
    for (const [at, doc] of docs.entries()) await persistence.bindState('document ' + at, doc);
    const lock = new DatabaseSync(file);
    lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    for (const doc of docs) type(doc, 'typed');`,
      file,
    );
    expect(ended).toMatchObject({
      code,
      signal: null,
      stderr: expect.stringMatching(
        /^\(SDS_PersistenceWarning\) an update of document "document 0" in .* may not be stored/,
      ),
    });
    const texts = await Promise.all([0, 1, 2].map((at) => storedText(file, `document ${at}`)));
    expect(texts).toEqual(['', 'typed', 'typed']);
  },
);

it('process.exit() while the file can not be had: documents that fail are waited for no longer than 10 s together', async () => {
  const ended = await runEditor(
    `const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    const told = new Set();
    const onError = (_, name) => {
      if (told.add(name).size < 50) return;
      of.encodeStateAsUpdate = (doc) => {
        console.log('tries', docs.indexOf(doc));
        return Y.encodeStateAsUpdate(doc);
      };
      setImmediate(() => process.exit(0));
    };
    const of = { ...Y };
    const persistence = new YjsPersistence(file, { Y: of, busyTimeoutMs: 500, onError });
    const docs = Array.from({ length: 50 }, () => new Y.Doc());
    for (const [at, doc] of docs.entries()) await persistence.bindState('document ' + at, doc);
    globalThis.lock = new DatabaseSync(file); // else it is closed once nobody refers to it
    lock.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
    for (const doc of docs) type(doc, 'typed');`,
    freshFile(),
  );
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: expect.stringMatching(/\(and of \d\d more\)/) });
  const tried = ended.stdout.match(/tries/g)?.length;
  expect(tried).toBeGreaterThan(0);
  expect(tried).toBeLessThan(50);
});

it('process.exit() by whoever hears of another call that has failed in the same moment: the document has its last attempt', async () => {
  const file = freshFile();
  const ended = await runEditor(
    `${watched}
    ${locked}
    persistence.storeUpdate('first', new Uint8Array([0, 0])).catch(() => {}); // meanwhile the others are gathered
    setImmediate(() => {
      persistence.storeUpdate('other', new Uint8Array([0, 0])).catch(() => {
        lock.exec('COMMIT');
        process.exit(0);
      });
      type(doc, 'typed');
    });`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, signal: null });
  expect(await storedText(file)).toBe('typed');
});

it('process.exit() while destroy() is still closing others: what it could not store is said, for nobody hears it reject', async () => {
  const ended = await runEditor(
    `${watched}
    ${locked}
    type(doc, 'typed');
    void persistence.destroy();
    await persistence.writeState('notes', doc); // which is released, and the database is not
    attempts = 0;
    process.on('exit', () => console.log(attempts, 'in vain'));
    process.exit(0);`,
    freshFile(),
  );
  expect(ended).toEqual({
    code: 0,
    signal: null,
    stdout: 'database-busy\n0 in vain\n',
    stderr: expect.stringMatching(
      /^\(SDS_PersistenceWarning\) an update of document "notes" in '[^']*' may not be stored as the process ends\n$/,
    ),
  });
});

/** By a copy of itself, beside a log that is not the copy's: closing the database fails as well. */
const replaced = `
await persistence.bindState('notes', doc);
await persistence.storeUpdate('other', new Uint8Array([0, 0]));
const { copyFileSync, renameSync } = process.getBuiltinModule('node:fs');
copyFileSync(file, file + '.old');
renameSync(file + '.old', file);
`;

it.each([
  ['locked', locked, 'database-busy'],
  ['replaced', replaced, 'io-error'],
])(
  'a document that destroy() could not store is let go of, though the program keeps the persistence; the file is %s',
  async (_, trouble, code) => {
    const ended = await runEditor(
      `${watched.replace('const doc', 'let doc')}
    ${trouble}
    type(doc, 'typed');
    await persistence.destroy().catch(({ code }) => console.log('destroy', code));
    const last = new WeakRef(doc);
    doc = undefined;
    for (let turns = 0; turns < 100 && last.deref() !== undefined; turns++) {
      await new Promise(setImmediate);
      gc();
    }
    console.log(last.deref() === undefined, persistence.provider === persistence);`,
      freshFile(),
      { flags: ['--expose-gc'] },
    );
    expect(ended).toMatchObject({ code: 0, stdout: `${code}\ndestroy ${code}\ntrue true\n` });
  },
);

const isText = (file: string) => writeFileSync(file, 'this is a text, and no database');
const isOfAnother = (file: string) => {
  const database = new DatabaseSync(file);
  database.exec('CREATE TABLE patches (name TEXT)');
  database.close();
};

it.each([
  ['a text', 'doc.destroy()', isText, 'open-failed'],
  ['a text', "persistence.writeState('notes', doc)", isText, 'open-failed'],
  ["another program's", 'doc.destroy()', isOfAnother, 'schema-mismatch'],
  ["another program's", "persistence.writeState('notes', doc)", isOfAnother, 'schema-mismatch'],
])('the file is %s, which no time changes: a program ends behind %s', async (_, released, make, why) => {
  const file = freshFile();
  make(file);
  const ended = await runEditor(
    `${watched}
    persistence.bindState('notes', doc);
    type(doc, 'typed');
    ${released};`,
    file,
  );
  expect(ended).toEqual({ code: 0, signal: null, stdout: `${why}\n`, stderr: lastAttemptFailed });
});

it('a document that is destroyed while the file can not be had: nobody waits for it, and the program ends', async () => {
  const file = freshFile();
  const ended = await runEditor(
    `${watched}
    ${locked}
    type(doc, 'typed');
    doc.destroy();`,
    file,
  );
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'database-busy\n', stderr: lastAttemptFailed });
});

it('a document that can not be encoded any more once it is left: nobody waits for it, and the program ends', async () => {
  const file = freshFile();
  const ended = await runEditor(
    `${watched}
    ${locked}
    type(doc, 'typed');
    onAttempt = () => {
      if (attempts === 4) process.exit(3);
    };
    void persistence.writeState('notes', doc);
    try {
      doc.getText('text').insertEmbed(0, { number: 1n });
    } catch {}`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, signal: null, stdout: 'database-busy\n' });
});

it('whoever waits only once a document is destroyed has the program live until it is stored', async () => {
  const file = freshFile();
  const ended = await runEditor(
    `${watched}
    ${locked}
    type(doc, 'typed');
    doc.destroy();
    process.once('beforeExit', async () => {
      attempts = 0;
      onAttempt = () => {
        if (attempts === 2) lock.exec('COMMIT'); // behind another pause
      };
      await persistence.writeState('notes', doc);
      console.log('stored');
    });`,
    file,
  );
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'database-busy\nstored\n', stderr: '' });
  expect(await storedText(file)).toBe('typed');
});

it('SIGTERM that the program handles by exiting: all is there', async () => {
  const file = freshFile();
  const ended = await runEditor(
    `${editing}
    process.on('SIGTERM', () => { type(doc, '!'); process.exit(0); });
    await bound; ${typing}
    console.log('typed');
    setInterval(() => {}, 1000);`,
    file,
    { onOutput: (_, kill) => kill('SIGTERM') },
  );
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(await storedText(file)).toBe(`${'x'.repeat(1500)}!`);
});

it.each(['SIGKILL', 'SIGTERM'] as const)('%s that nobody handles: what was acknowledged is there', async (signal) => {
  const file = freshFile();
  const ended = await runEditor(
    `${editing}
    await bound; ${typing}
    const whole = Y.encodeStateAsUpdate(doc);
    await persistence.storeUpdate('copy', whole); // behind all that was typed
    console.log('stored');
    setInterval(() => type(doc, '?'), 1);`,
    file,
    { onOutput: (_, kill) => kill(signal) },
  );
  expect(ended).toMatchObject({ signal, stderr: '' });
  expect(await storedText(file)).toMatch(/^x{1500}\?*$/);
  expect(await storedText(file, 'copy')).toBe('x'.repeat(1500));
});

it.each([
  [
    'a warning',
    '',
    '{ Y }',
    { stderr: expect.stringMatching(/^\(SDS_PersistenceWarning\) document "notes": .*: .*update must be/) },
  ],
  [
    'onError',
    '',
    '{ Y, onError: ({ code }, name) => console.log(name, code) }',
    { stdout: 'notes invalid-argument\n' },
  ],
  [
    'a channel',
    `const { subscribe } = process.getBuiltinModule('node:diagnostics_channel');
    subscribe('sds-persistence:write-failed', ({ StoreId, Code }) => console.log(StoreId, Code));`,
    '{ Y, onError() {} }',
    { stdout: 'notes invalid-argument\n' },
  ],
])('what fails in the last turn of a process is told by %s', async (_, listening, options, told) => {
  const ended = await runEditor(
    `${listening}
    new YjsPersistence(file, ${options}).storeUpdate('notes', 'no bytes');
    process.exit(0);`,
    freshFile(),
  );
  expect(ended).toMatchObject({ code: 0, ...told });
});

/** However a server ends: what was typed is there. */
import { expect, it } from 'vitest';
import { freshFile, rowsOf } from '../support/files.ts';
import { runEditor, storedText } from './documents.ts';

const editing = `
const persistence = new YjsPersistence(file, { Y });
const doc = new Y.Doc();
const bound = persistence.bindState('notes', doc);
`;
const typing = "type(doc, 'x'.repeat(1500));";

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
    lock.exec('BEGIN IMMEDIATE');
    type(doc, 'typed');
    await persistence.writeState('notes', doc);
    console.log('stored');`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'database-busy\nstored\n', stderr: '' });
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

/** Documents of any kind: their updates are merged by a module of the program's, in a thread of its own. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SDS_DesktopPersistenceProvider, SDS_PersistenceError } from 'sds-persistence-worker';
import { MergedDocuments, type MergedDocumentsOptions } from 'sds-persistence-worker/merged-documents';
import { expect, it } from 'vitest';
import { place } from '../package/a-fresh-machine.ts';
import { freshFile, freshFolder } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';
import { storeUnmerged } from './documents.ts';

/** A set of words, each with a space behind it: its updates may be merged in any order, and more than once. */
const words = `export function merge(parts) {
  const all = parts.flatMap((part) => new TextDecoder().decode(part).split(' ')).filter(Boolean);
  if (all.includes('poison')) throw new Error('on purpose');
  return new TextEncoder().encode([...new Set(all)].sort().map((word) => word + ' ').join(''));
}`;

function moduleOf(text: string): URL {
  return pathToFileURL(place(freshFolder(), 'merge.mjs', text));
}

function documentsOn(file: string, options: Partial<MergedDocumentsOptions> = {}): MergedDocuments {
  return new MergedDocuments(file, { merge: moduleOf(words), onError: () => {}, ...options });
}

const encoded = (word: string) => new TextEncoder().encode(`${word} `);
const decoded = (updates: readonly Uint8Array[]) => updates.map((update) => new TextDecoder().decode(update));

it('what is appended without waiting comes back, and is one update once it is merged', async () => {
  const documents = documentsOn(freshFile());
  await documents.ready();
  for (const word of ['b', 'a', 'b']) void documents.append('notes', encoded(word));
  expect(decoded(await documents.load('notes'))).toEqual(['b ', 'a ', 'b ']);
  expect(await documents.compact('notes')).toBe(true);
  void documents.append('notes', encoded('c'));
  expect(decoded(await documents.load('notes'))).toEqual(['a b ', 'c ']);
  expect([await documents.load('others'), await documents.names()]).toEqual([[], ['notes']]);
  await documents.remove('notes');
  expect([await documents.load('notes'), await documents.names()]).toEqual([[], []]);
  void documents.append('notes', encoded('d'));
  expect(decoded(await documents.load('notes'))).toEqual(['d ']);
  await documents[Symbol.asyncDispose]();
  await expect(documents.ready()).rejects.toMatchObject({ code: 'closed' });
});

it('the module that merges may be named by its path, whatever characters that has', async () => {
  const merge = place(freshFolder(), 'by #1, 100%.mjs', words);
  await using documents = documentsOn(freshFile(), { merge });
  for (const word of ['b', 'a']) void documents.append('notes', encoded(word));
  expect(await documents.compact('notes')).toBe(true);
  expect(decoded(await documents.load('notes'))).toEqual(['a b ']);
});

it('many updates are merged without being asked for it, when they are loaded and when they have become many', async () => {
  const file = freshFile();
  const documents = documentsOn(file);
  const all = Array.from({ length: 600 }, (_, index) => `w${index}`);
  for (const word of all) void documents.append('notes', encoded(word));
  const updates = await documents.load('notes');
  expect(decoded(updates).join('').split(' ').filter(Boolean).sort()).toEqual(all.sort());
  const look = new SDS_DesktopPersistenceProvider(file, 'notes');
  await expect.poll(() => look.loadSnapshot()).toBeDefined();
  await look.close();
  await documents.destroy();
});

/** The same with a file beside it that has a byte for each merge that it has begun; it does something before it ends the first. */
function wordsThat(does: string) {
  const merge = moduleOf(`import { appendFileSync, existsSync, statSync } from 'node:fs';
const beside = (name) => new URL(name, import.meta.url);
${words.replace('{', `{ appendFileSync(beside('begun'), 'x'); if (statSync(beside('begun')).size === 1) { ${does} }`)}`);
  const beside = (name: string) => new URL(name, merge);
  return {
    merge,
    begun: () => (existsSync(beside('begun')) ? statSync(beside('begun')).size : 0),
    goOn: () => writeFileSync(beside('may-go-on'), ''),
  };
}

const untilItMayGoOn =
  "while (!existsSync(beside('may-go-on'))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);";

it('a merge that comes too late for whoever loads the document is not begun anew, and stored when it is done', async () => {
  const file = freshFile();
  const { merge, begun, goOn } = wordsThat(untilItMayGoOn);
  await storeUnmerged(
    file,
    Array.from({ length: 600 }, (_, index) => encoded(`w${index}`)),
  );
  const documents = documentsOn(file, { merge });
  expect(await documents.load('notes')).toHaveLength(600);
  goOn();
  await documents.compact('notes'); // behind it
  expect(begun()).toBe(1);
  expect(await documents.load('notes')).toHaveLength(1);
  await documents.destroy();
});

it('a merge that fails is not begun a second time by the same loading', async () => {
  const file = freshFile();
  const { merge, begun } = wordsThat('');
  await storeUnmerged(
    file,
    Array.from({ length: 600 }, () => encoded('poison')),
  );
  const told: string[] = [];
  const documents = documentsOn(file, { merge, onError: ({ code }, name) => told.push(`${name}: ${code}`) });
  expect(await documents.load('notes')).toHaveLength(600);
  await expect(documents.compact('notes')).rejects.toMatchObject({ code: 'database-corrupt' }); // the second one
  expect([begun(), told]).toEqual([2, ['notes: database-corrupt']]);
  await documents.destroy();
});

it('updates that the module can not merge stay, and the caller is told why', async () => {
  const told: string[] = [];
  const documents = documentsOn(freshFile(), { onError: ({ code }, name) => told.push(`${name}: ${code}`) });
  for (const word of ['good', 'poison']) void documents.append('notes', encoded(word));
  const failure = await documents.compact('notes').catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(SDS_PersistenceError);
  expect(failure).toMatchObject({
    code: 'database-corrupt',
    cause: expect.objectContaining({ message: 'on purpose' }),
  });
  expect(decoded(await documents.load('notes'))).toEqual(['good ', 'poison ']);
  await documents.destroy();
});

it('a module that is not there, or has no merge, is named; what is stored is returned as it is', async () => {
  const missing = new URL('missing.mjs', moduleOf(words));
  for (const [merge, reason] of [
    [missing, 'missing.mjs'],
    [moduleOf('export const other = 1;'), "no function 'merge'"],
  ] as const) {
    const documents = documentsOn(freshFile(), { merge });
    void documents.append('notes', encoded('a'));
    await expect(documents.compact('notes')).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(reason),
    });
    expect(decoded(await documents.load('notes'))).toEqual(['a ']);
    await documents.destroy();
  }
});

it('wrong arguments are refused; after destroy() every call rejects with closed', async () => {
  const file = freshFile();
  for (const options of [{}, { merge: undefined }, { merge: 5 }, { merge: moduleOf(words), gc: true }]) {
    expect(() => new MergedDocuments(file, options as never)).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  }
  const documents = documentsOn(file);
  await expect(documents.append('notes', 'text' as never)).rejects.toMatchObject({ code: 'invalid-argument' });
  await documents.destroy();
  const calls = [documents.append('notes', encoded('a')), documents.load('notes'), documents.compact('notes')];
  for (const call of [...calls, documents.remove('notes'), documents.names()]) {
    await expect(call).rejects.toMatchObject({ code: 'closed' });
  }
  await documents.destroy();
});

it('process.exit() in mid-merge: all that was appended is there', async () => {
  const file = freshFile();
  const dist = JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist/merged-documents.js')));
  const ended = await runProgram(
    `const { MergedDocuments } = await import(${dist});
    const documents = new MergedDocuments(file, { merge: ${JSON.stringify(moduleOf(words))} });
    for (let i = 0; i < 2000; i++) documents.append('notes', new TextEncoder().encode('w' + i + ' '));
    documents.compact('notes');
    setImmediate(() => process.exit(0));`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  const documents = documentsOn(file);
  const found = decoded(await documents.load('notes'))
    .join('')
    .split(' ')
    .filter(Boolean);
  expect(new Set(found)).toEqual(new Set(Array.from({ length: 2000 }, (_, index) => `w${index}`)));
  await documents.destroy();
});

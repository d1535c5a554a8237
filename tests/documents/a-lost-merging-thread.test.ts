/** The merging thread is killed, runs out of memory, or ends by itself: every call settles, and nothing is lost. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import * as Y from 'yjs';
import { place } from '../package/a-fresh-machine.ts';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import {
  mergingThreads,
  persistenceOn,
  runEditor,
  storedText,
  storeUnmerged,
  textOf,
  type,
  updateOf,
  updatesOf,
} from './documents.ts';

const yjs = JSON.stringify(import.meta.resolve('yjs'));

/** A module in the place of Yjs that does something before it merges the first document. */
function yjsThat(does: string): URL {
  const path = place(
    freshFolder(),
    'yjs.mjs',
    `import * as Y from ${yjs};
import { existsSync, writeFileSync } from 'node:fs';
export * from ${yjs};
const mark = new URL('done', import.meta.url);
export function encodeStateAsUpdate(...given) {
  if (!existsSync(mark)) { writeFileSync(mark, ''); ${does} }
  return Y.encodeStateAsUpdate(...given);
}`,
  );
  return pathToFileURL(path);
}

it.each([
  ['ends by itself', 'process.exit(0);'],
  [
    'throws what nobody catches',
    'setTimeout(() => { throw new Error("on purpose"); }); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); process.exit(1)',
  ],
  ['runs out of memory', 'const all = []; for (;;) all.push(new Array(100_000).fill({}));'],
])('a thread that %s: the compaction rejects, the next one succeeds', async (_, does) => {
  const file = freshFile();
  const persistence = persistenceOn(file, { yjs: yjsThat(does), resourceLimits: { maxOldGenerationSizeMb: 32 } });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'abc');
  await expect(persistence.flushDocument('notes')).rejects.toMatchObject({ code: 'worker-lost' });
  type(doc, 'def');
  await persistence.flushDocument('notes');
  await persistence.destroy();
  expect(rowsOf(file).patches).toEqual([]);
  expect(await storedText(file)).toBe('abcdef');
});

it('a thread that is killed while a document is opened: it is opened all the same', async () => {
  const file = freshFile();
  await storeUnmerged(file, updatesOf('x'.repeat(600)));
  const persistence = persistenceOn(file, { yjs: yjsThat('process.exit(0);') });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  expect(textOf(doc)).toBe('x'.repeat(600));
});

it('a thread that is terminated from outside, with work in its queue: all of it settles', async () => {
  const yjs = yjsThat('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);');
  const persistence = persistenceOn(freshFile(), { yjs });
  const names = ['one', 'two', 'three'];
  for (const name of names) await persistence.storeUpdate(name, updateOf(name));
  const outcomes = Promise.allSettled(names.map((name) => persistence.flushDocument(name)));
  await expect.poll(() => existsSync(new URL('done', yjs))).toBe(true);
  expect(mergingThreads()).toHaveLength(1);
  await mergingThreads()[0]?.terminate();
  const codes = (await outcomes).map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'merged'));
  expect(codes).toEqual(['worker-lost', 'merged', 'merged']);
});

it('a compaction that fails by itself is told once, and tried again after as many updates again', async () => {
  const errors: string[] = [];
  const file = freshFile();
  const persistence = persistenceOn(file, {
    yjs: yjsThat('process.exit(0);'),
    onError: ({ code }, name) => errors.push(`${name} ${code}`),
  });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  type(doc, 'x'.repeat(500));
  await expect.poll(() => errors).toEqual(['notes worker-lost']);
  type(doc, 'y'.repeat(500));
  await expect.poll(() => rowsOf(file).snapshots.length).toBe(1);
  await persistence.writeState('notes', doc);
  expect(errors).toHaveLength(1);
  expect(await storedText(file)).toBe('x'.repeat(500) + 'y'.repeat(500));
});

it("a thread's young heap is small, also where the program bounds the old one", async () => {
  const persistence = persistenceOn(join(freshFolder(), 'documents.db'), {
    resourceLimits: { maxOldGenerationSizeMb: 100 },
  });
  await persistence.storeUpdate('notes', updateOf('x'));
  await persistence.flushDocument('notes');
  expect(mergingThreads().map(({ resourceLimits }) => resourceLimits)).toMatchObject([
    { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 100 },
  ]);
});

it('a thread that has merged a large document merges no other one beside what is left of that', async () => {
  const persistence = persistenceOn(join(freshFolder(), 'documents.db'));
  const merge = async (name: string, text: string) => {
    await persistence.storeUpdate(name, updateOf(text));
    await persistence.flushDocument(name);
  };
  await merge('small', 'x');
  const [first] = mergingThreads();
  await merge('another small one', 'x');
  expect(mergingThreads()).toEqual([first]);
  await merge('large', 'x'.repeat(2 ** 20));
  await merge('small', 'y');
  expect(mergingThreads().filter((thread) => thread !== first)).toHaveLength(1);
});

it('a thread that is not needed any more ends', async () => {
  const persistence = persistenceOn(join(freshFolder(), 'documents.db'));
  await persistence.storeUpdate('notes', updateOf('x'));
  await persistence.flushDocument('notes');
  await expect.poll(() => mergingThreads().length).toBe(0);
});

it('a thread that can not be asked: that is told once, and the process does not wait for the thread', async () => {
  const ended = await runEditor(
    `import { MessagePort } from 'node:worker_threads';
    const { waitAsync } = Atomics;
    // the thread is not ended for want of work
    Atomics.waitAsync = (cell, at, value, ms) => waitAsync(cell, at, value, ms === 5000 ? Infinity : ms);
    const { postMessage } = MessagePort.prototype;
    MessagePort.prototype.postMessage = function (...given) {
      if (given[0]?.order?.task === 'merge') throw new Error('on purpose');
      return postMessage.apply(this, given);
    };
    const failed = Promise.withResolvers();
    const persistence = new YjsPersistence(file, { Y, onError: failed.resolve });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    type(doc, 'x'.repeat(500));
    const { code, cause } = await failed.promise;
    console.log(code, cause.message);
    await persistence.destroy();
    setTimeout(() => process.exit(3), 20_000).unref(); // comes to that only if something else keeps the process alive`,
    join(freshFolder(), 'documents.db'),
  );
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'worker-lost on purpose\n', stderr: '' });
});

it('a merge that hangs: the document is opened without it, the program ends, and all updates stay', async () => {
  const file = freshFile();
  await storeUnmerged(file, updatesOf('x'.repeat(600)));
  const yjs = yjsThat('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);');
  const ended = await runEditor(
    `const persistence = new YjsPersistence(file, { Y, yjs: ${JSON.stringify(yjs)} });
    const doc = new Y.Doc();
    await persistence.bindState('notes', doc);
    console.log(doc.getText('text').length);`,
    file,
  );
  expect(ended).toEqual({ code: 0, signal: null, stdout: '600\n', stderr: '' });
  expect(rowsOf(file)).toMatchObject({ snapshots: [], patches: { length: 600 } });
});

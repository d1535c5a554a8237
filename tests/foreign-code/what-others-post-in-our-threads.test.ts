/** Code that posts and listens in the threads of merges and operations by the port that each thread has: no answer of ours goes astray. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
import { expect, it } from 'vitest';
import { place } from '../package/a-fresh-machine.ts';
import { freshFile, freshFolder } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

const importOf = (name: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist', name)).href);
const names = Array.from({ length: 12 }, (_, index) => `d${index}`);
const all = names.map((name) => name.repeat(3));

/** Compacts documents that have updates of their own, at once; tells what each of them contains then. */
async function merged(posting: string): Promise<string[]> {
  const merge = place(
    freshFolder(),
    'merge.mjs',
    `import { parentPort } from 'node:worker_threads';\nexport function merge(parts) { ${posting}; return Buffer.concat(parts); }`,
  );
  const documents = new MergedDocuments(freshFile(), { merge: pathToFileURL(merge) });
  for (const name of names) for (let count = 0; count < 3; count++) void documents.append(name, Buffer.from(name));
  await Promise.all(names.map((name) => documents.compact(name)));
  const loaded = await Promise.all(names.map((name) => documents.load(name)));
  await documents.destroy();
  return loaded.map((updates) => updates.map((update) => Buffer.from(update).toString()).join());
}

it.each([
  ['tells how far it is', 'parentPort.postMessage({ merging: parts.length })'],
  [
    'also serves a thread of the program, and would not understand our request',
    "if (!globalThis.serves && (globalThis.serves = true)) parentPort.on('message', ({ job }) => parentPort.postMessage(job.id))",
  ],
  ['takes all listeners away', 'parentPort.removeAllListeners()'],
])('a merge module that %s: each document is merged, and keeps what is its own', async (_, posting) => {
  expect(await merged(posting)).toEqual(all);
});

const program = `
import { backupDatabase, copyStores, verifyDatabase } from ${importOf('index.js')};
import { MergedDocuments } from ${importOf('merged-documents.js')};
const names = ${JSON.stringify(names)};
const merge = 'data:text/javascript,export const merge = (parts) => Buffer.concat(parts)';
const documents = new MergedDocuments(file, { merge });
for (const name of names) for (let count = 0; count < 3; count++) void documents.append(name, Buffer.from(name));
await Promise.all(names.map((name) => documents.compact(name)));
const loaded = await Promise.all(names.map((name) => documents.load(name)));
await documents.destroy();
const { Bytes } = await backupDatabase(file, file + '.backup');
const { Stores } = await copyStores(file, file + '.copy');
const { Sound } = await verifyDatabase(file + '.copy');
console.log(JSON.stringify({ loaded: loaded.map((updates) => Buffer.concat(updates).toString()), backup: Bytes > 0, Stores, Sound }) + ' is all');`;
const expected = `${JSON.stringify({ loaded: all, backup: true, Stores: names.length, Sound: true })} is all`;

it('a file that is preloaded in each thread and posts: merges and operations have their own results', async () => {
  const path = place(freshFolder(), 'post.cjs', "require('node:worker_threads').parentPort?.postMessage('here');");
  const ended = await runProgram(program, freshFile(), { flags: ['--require', path] });
  expect(ended).toEqual({ code: 0, signal: null, stderr: '', stdout: `${expected}\n` });
});

it('nor are the files that Node tells of with --watch taken for results', async () => {
  const path = place(freshFolder(), 'preloaded.cjs', '');
  const { stdout, stderr } = await runProgram(program, freshFile(), {
    flags: ['--watch', '--watch-preserve-output', '--require', path],
    onOutput: (output, kill) => {
      if (/ running /.test(output)) kill('SIGTERM');
    },
  });
  expect([stdout.split('\n')[0], stderr]).toEqual([expected, '']);
});

/** `sds-persistence-worker/yjs` as it is installed: by import and by require, beside the library, bundled, and under Node's permission model. */
import { copyFileSync, cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { installed, nodes, place, resultOf, run, runNode } from '../package/a-fresh-machine.ts';
import { extensionOf, importing, type ModuleFormat } from '../package/an-application.ts';
import { type Bundler, withEsbuild, withRollup } from '../package/bundlers.ts';
import { freshFolder, rowsOf } from '../support/files.ts';

const modules = join(import.meta.dirname, '../../node_modules');

async function withYjs(): Promise<string> {
  const folder = await installed();
  for (const name of ['yjs', 'lib0', 'isomorphic.js']) {
    cpSync(join(modules, name), join(folder, 'node_modules', name), { recursive: true });
  }
  return folder;
}

const all = (format: ModuleFormat) => (format === 'esm' ? "import * as Y from 'yjs';" : "const Y = require('yjs');");

/** Its argument is the database; it prints what became of it. */
const application = (format: ModuleFormat, options = '') => `${all(format)}
${importing(format, 'YjsPersistence', 'sds-persistence-worker/yjs')}
${importing(format, 'SDS_DesktopPersistenceProvider, SDS_PersistenceError', 'sds-persistence-worker')}
const threads = [];
process.on('worker', (worker) => threads.push(worker));
async function main() {
  const file = process.argv.at(-1);
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  await provider.appendPatch(new Uint8Array([1]), 1);
  const persistence = new YjsPersistence(file, { Y ${options} });
  const doc = new Y.Doc();
  await persistence.bindState('notes', doc);
  doc.getText('text').insert(0, 'Hello');
  const before = threads.length;
  await persistence.flushDocument('notes');
  const merging = threads.length - before;
  await persistence.destroy();
  const refused = await persistence.getYDoc('notes').catch((error) => error);
  await provider.close();
  console.log(JSON.stringify({ before, merging, isOurs: refused instanceof SDS_PersistenceError }));
}
void main();
`;

const expected = { before: 1, merging: 1, isOurs: true };

it.each(['esm', 'cjs'] as const)(
  'one worker serves the library and documents, one thread merges (%s)',
  async (format) => {
    const folder = await withYjs();
    const program = place(folder, `main.${extensionOf[format]}`, application(format));
    const file = join(folder, 'documents.db');
    expect(resultOf(await runNode([program, file], { cwd: freshFolder() }), program)).toEqual(expected);
    expect(rowsOf(file)).toMatchObject({ patches: [{ store_id: 'store' }], snapshots: [{ store_id: 'notes' }] });
  },
);

it.each(Object.entries(nodes))('on Node %s', async (_, node) => {
  const folder = await withYjs();
  for (const format of ['esm', 'cjs'] as const) {
    const program = place(folder, `main.${extensionOf[format]}`, application(format));
    const file = join(folder, `${format}.db`);
    expect(resultOf(await runNode([program, file], { cwd: folder, node }), program)).toEqual(expected);
  }
});

const bundlers: [string, ModuleFormat, Bundler][] = [
  ['esbuild, as an ES module', 'esm', withEsbuild('esm', true)],
  ['esbuild, as CommonJS', 'cjs', withEsbuild('cjs', false)],
  ['Rollup', 'esm', withRollup('esm')],
];

it.each(bundlers)('bundled into one file (%s): with a module that is named', async (_, format, bundle) => {
  const folder = await withYjs();
  const elsewhere = freshFolder();
  const yjs = pathToFileURL(join(folder, 'node_modules/yjs/dist/yjs.mjs')).href;
  const source = place(folder, `main.${extensionOf[format]}`, application(format, `, yjs: '${yjs}'`));
  const out = freshFolder();
  await bundle(source, join(out, `bundle.${extensionOf[format]}`));
  expect(readdirSync(out)).toHaveLength(1);
  const moved = join(elsewhere, `bundle.${extensionOf[format]}`);
  copyFileSync(join(out, `bundle.${extensionOf[format]}`), moved);
  const ended = await runNode([moved, join(elsewhere, 'documents.db')], { cwd: elsewhere });
  expect(resultOf(ended, moved)).toEqual(expected);
});

it('bundled, with no Yjs to be found: it merges in the calling thread, and says so', async () => {
  const folder = await withYjs();
  const out = freshFolder();
  const source = place(folder, 'main.mjs', application('esm'));
  await withEsbuild('esm', false)(source, join(out, 'bundle.mjs'));
  const { exitCode, stdout, stderr } = await run(
    process.execPath,
    [join(out, 'bundle.mjs'), join(out, 'documents.db')],
    { cwd: out },
  );
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toEqual(expected);
  expect(stderr).toContain('SDS_NO_MERGING_THREAD');
  expect(rowsOf(join(out, 'documents.db')).snapshots).toHaveLength(1);
});

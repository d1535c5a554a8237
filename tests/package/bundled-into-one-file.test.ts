/** An application bundled into one file, moved to where there is no `node_modules`, still finds its worker. */
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFolder, rowsOf } from '../support/files.ts';
import { installed, nodes, place, resultOf, runNode } from './a-fresh-machine.ts';
import { application, extensionOf, type ModuleFormat, wholeJourney } from './an-application.ts';
import { type Bundler, withEsbuild, withRollup, withVite } from './bundlers.ts';

const ways: [name: string, source: ModuleFormat, target: ModuleFormat, bundler: Bundler][] = [
  ['esbuild, as an ES module', 'esm', 'esm', withEsbuild('esm', false)],
  ['esbuild, as CommonJS', 'esm', 'cjs', withEsbuild('cjs', false)],
  ['esbuild, CommonJS from CommonJS, minified', 'cjs', 'cjs', withEsbuild('cjs', true)],
  ['Rollup, as an ES module', 'esm', 'esm', withRollup('esm')],
  ['Rollup, as CommonJS', 'esm', 'cjs', withRollup('cjs')],
  ["Vite's build for Node", 'esm', 'esm', withVite],
];

it.each(ways)('%s', async (_name, sourceFormat, targetFormat, bundle) => {
  const folder = await installed();
  const source = place(folder, `main.${extensionOf[sourceFormat]}`, application(sourceFormat));
  const name = `bundle.${extensionOf[targetFormat]}`;
  const out = freshFolder();
  await bundle(source, join(out, name));
  expect(readdirSync(out)).toEqual([name]);

  const elsewhere = freshFolder();
  const moved = join(elsewhere, name);
  copyFileSync(join(out, name), moved);
  const dbPath = join(elsewhere, 'notes.db');
  expect(resultOf(await runNode([moved, dbPath], { cwd: elsewhere }), moved)).toEqual(wholeJourney);
  expect(rowsOf(dbPath).patches).toHaveLength(200);

  const onTheOldest = await runNode([moved, `${dbPath}-22.5`], { cwd: elsewhere, node: nodes['22.5'] });
  expect(resultOf(onTheOldest, moved)).toEqual(wholeJourney);
});

/** An application bundled into one file, moved to where there is no `node_modules`, still finds its worker. */
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { build as esbuild } from 'esbuild';
import { rollup } from 'rollup';
import { build as vite } from 'vite';
import { expect, it } from 'vitest';
import { freshFolder, rowsOf } from '../support/files.ts';
import { installed, nodes, place, resultOf, runNode } from './a-fresh-machine.ts';
import { application, extensionOf, type ModuleFormat, wholeJourney } from './an-application.ts';

/** A bundler: makes one file of another and all it imports. */
type Bundler = (source: string, target: string) => Promise<unknown>;

const withEsbuild =
  (format: ModuleFormat, minify: boolean): Bundler =>
  (source, outfile) =>
    esbuild({ entryPoints: [source], outfile, bundle: true, platform: 'node', format, minify, logLevel: 'warning' });

const withRollup =
  (format: ModuleFormat): Bundler =>
  async (source, file) => {
    const bundle = await rollup({
      input: source,
      external: /^node:/,
      plugins: [nodeResolve()],
      onwarn: (warning) => {
        throw new Error(warning.message);
      },
    });
    await bundle.write({ file, format });
    await bundle.close();
  };

const withVite: Bundler = (source, target) =>
  vite({
    root: join(source, '..'),
    configFile: false,
    logLevel: 'warn',
    ssr: { noExternal: true },
    build: {
      ssr: source,
      outDir: join(target, '..'),
      emptyOutDir: false,
      minify: true,
      rollupOptions: { output: { entryFileNames: 'bundle.mjs' } },
    },
  });

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

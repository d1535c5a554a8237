/**
 * The application in an archive, as Electron has it, which Node reads by asar's own reader: nothing is looked for beside the
 * code that is loaded. Electron itself is not run here.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { installed, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { application, extensionOf, wholeJourney } from '../package/an-application.ts';
import { freshFolder } from '../support/files.ts';
import { rowsOf } from '../support/rows.ts';

const asar = join(import.meta.dirname, 'tools/node_modules/@electron/asar');

/** Loads every module of the application from the archive, of which only the file itself is there. */
const reader = `
import { extractFile } from ${JSON.stringify(pathToFileURL(join(asar, 'lib/asar.js')).href)};
import { registerHooks } from 'node:module';
const archive = new URL('app.asar', import.meta.url);
const read = (name) => extractFile(archive.pathname, name).toString();
const prefix = archive.href + '/';
const kinds = { import: 'module', require: 'commonjs' };
registerHooks({
  resolve(specifier, context, next) {
    const beside = /^\\.{1,2}[/]/.test(specifier) && context.parentURL?.startsWith(prefix);
    if (beside) return { url: new URL(specifier, context.parentURL).href, shortCircuit: true };
    if (specifier.startsWith(prefix)) return { url: specifier, shortCircuit: true };
    if (specifier !== 'sds-persistence-worker') return next(specifier, context);
    const folder = 'node_modules/sds-persistence-worker/';
    const { exports } = JSON.parse(read(folder + 'package.json'));
    const kind = context.conditions.includes('import') ? 'import' : 'require';
    return { url: new URL(exports['.'][kind].default, prefix + folder).href, format: kinds[kind], shortCircuit: true };
  },
  load(url, context, next) {
    if (!url.startsWith(prefix)) return next(url, context);
    const format = url.endsWith('.cjs') ? 'commonjs' : 'module';
    return { source: read(url.slice(prefix.length)), format, shortCircuit: true };
  },
});
await import(prefix + process.argv[2]);
`;

it.each(['esm', 'cjs'] as const)('runs from the archive alone (%s)', async (format) => {
  const folder = await installed();
  const main = `main.${extensionOf[format]}`;
  place(folder, main, application(format));
  // links of npm's, which are copied here, lead out of the folder
  rmSync(join(folder, 'node_modules/.bin'), { recursive: true });
  const packed = join(freshFolder(), 'app.asar');
  const made = await runNode([join(asar, 'bin/asar.mjs'), 'pack', folder, packed], { cwd: folder });
  expect(made).toMatchObject({ exitCode: 0, stderr: '' });

  const elsewhere = freshFolder();
  copyFileSync(packed, join(elsewhere, 'app.asar'));
  place(elsewhere, 'reader.mjs', reader);
  expect(resultOf(await runNode(['reader.mjs', main, 'notes.db'], { cwd: elsewhere }), main)).toEqual(wholeJourney);
  expect(rowsOf(join(elsewhere, 'notes.db')).patches).toHaveLength(200);
});

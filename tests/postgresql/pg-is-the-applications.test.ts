/** The package `pg` is the application's own: found beside it, also from a bundle, and missed only where it is needed. */
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { installed, nodes, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { application, extensionOf, importing, type ModuleFormat, wholeJourney } from '../package/an-application.ts';
import { bringPg } from '../package/bring-pg.ts';
import { type Bundler, withEsbuild, withRollup, withVite } from '../package/bundlers.ts';
import { freshFolder } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

/** Prints what a provider says that can't have `pg`. */
const asking = (
  format: ModuleFormat,
) => `${importing(format, 'SDS_DesktopPersistenceProvider', 'sds-persistence-worker')}
const provider = new SDS_DesktopPersistenceProvider(process.argv.at(-1), 'notes');
provider.appendPatch(new Uint8Array(1), 1).catch(({ code, cause }) => {
  console.log(JSON.stringify({ code, cause: cause.message }));
  return provider.close();
});
`;
const missed = { code: 'open-failed', cause: expect.stringContaining('npm install pg') };

/** A bundle of a program, moved to where nothing else is. */
async function bundled(folder: string, source: string, format: ModuleFormat, bundle: Bundler): Promise<string> {
  const name = `bundle.${extensionOf[format]}`;
  const outfile = join(freshFolder(), name);
  await bundle(source, outfile);
  expect(readdirSync(join(outfile, '..'))).toEqual([name]);
  copyFileSync(outfile, join(folder, name));
  return join(folder, name);
}

describeOnPostgresql('pg', () => {
  it.each<ModuleFormat>(['esm', 'cjs'])('%s: beside the package, it is used', async (format) => {
    const folder = await installed();
    bringPg(folder);
    const program = place(folder, `main.${extensionOf[format]}`, application(format));
    const url = await postgresql.freshPlace();
    expect(resultOf(await runNode([program, url], { cwd: folder }), program)).toEqual(wholeJourney);
    expect((await postgresql.rowsOf(url)).patches).toHaveLength(200);
  });

  it('with its bindings of C wanted by the program, `pg` is used without them', async () => {
    const folder = await installed();
    bringPg(folder);
    // the variable stays as it is for the program's own `pg`
    const looking = "process.on('exit', () => process.env.NODE_PG_FORCE_NATIVE ?? console.error('it is gone'));";
    const program = place(folder, 'main.mjs', application('esm') + looking);
    const url = await postgresql.freshPlace();
    const ended = await runNode([program, url], { cwd: folder, env: { NODE_PG_FORCE_NATIVE: 'yes' } });
    expect(resultOf(ended, program)).toEqual(wholeJourney);
  });

  it('missing: files work, and a database says what to install', async () => {
    const folder = await installed();
    const program = place(folder, 'main.mjs', application('esm'));
    const onFile = await runNode([program, join(folder, 'notes.db')], { cwd: folder });
    expect(resultOf(onFile, program)).toEqual(wholeJourney);
    const other = place(folder, 'asking.mjs', asking('esm'));
    const url = await postgresql.freshPlace();
    expect(resultOf(await runNode([other, url], { cwd: folder }), other)).toEqual(missed);
  });

  it.each<[name: string, format: ModuleFormat, bundler: Bundler]>([
    ['esbuild, as an ES module', 'esm', withEsbuild('esm', false)],
    ['esbuild, as CommonJS', 'cjs', withEsbuild('cjs', false)],
    ['Rollup', 'esm', withRollup('esm')],
    ["Vite's build for Node", 'esm', withVite],
  ])(
    'beside a bundle of one file (%s, with no setting for it), it is used, on the oldest Node too',
    async (_, format, bundler) => {
      const source = place(await installed(), `main.${extensionOf[format]}`, application(format));
      const elsewhere = freshFolder();
      const program = await bundled(elsewhere, source, format, bundler);
      bringPg(elsewhere);
      for (const node of [nodes['24'], nodes['22.5']]) {
        const url = await postgresql.freshPlace();
        expect(resultOf(await runNode([program, url], { cwd: freshFolder(), node }), program)).toEqual(wholeJourney);
      }
    },
  );

  it.each<[name: string, format: ModuleFormat, bundler: Bundler]>([
    ['esbuild, as an ES module', 'esm', withEsbuild('esm', false)],
    ['esbuild, as CommonJS', 'cjs', withEsbuild('cjs', false)],
  ])('beside a bundle (%s) that is loaded by a program from elsewhere, it is used', async (_, format, bundler) => {
    const source = place(await installed(), `main.${extensionOf[format]}`, application(format));
    const elsewhere = freshFolder();
    const bundle = await bundled(elsewhere, source, format, bundler);
    bringPg(elsewhere);
    const program = place(freshFolder(), 'run.mjs', `await import(${JSON.stringify(pathToFileURL(bundle).href)});`);
    const url = await postgresql.freshPlace();
    expect(resultOf(await runNode([program, url], { cwd: freshFolder() }), program)).toEqual(wholeJourney);
  });

  it('not beside a bundle of one file: files work, and a database says what to install', async () => {
    const source = place(await installed(), 'asking.mjs', asking('esm'));
    const elsewhere = freshFolder();
    const program = await bundled(elsewhere, source, 'esm', withEsbuild('esm', false));
    const url = await postgresql.freshPlace();
    expect(resultOf(await runNode([program, url], { cwd: elsewhere }), program)).toEqual(missed);
  });
});

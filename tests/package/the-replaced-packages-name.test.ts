/** A program written for the synchronous provider runs unchanged once the package takes its name in the dependencies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rowsOf } from '../support/files.ts';
import { installed, place, resultOf, runNode } from './a-fresh-machine.ts';
import { extensionOf, importing, type ModuleFormat } from './an-application.ts';

const replaced = '@rozek/sds-persistence-node';

/** As it was written for the provider that is replaced: two arguments, the contract's methods only. */
const unchanged = (format: ModuleFormat) => `${importing(format, 'SDS_DesktopPersistenceProvider', replaced)}
async function main() {
  const Persistence = new SDS_DesktopPersistenceProvider(process.argv[2], 'store-1');
  const before = await Persistence.loadSnapshot();
  for (let Clock = 1; Clock <= 50; Clock++) {
    Persistence.appendPatch(new Uint8Array([Clock]), Clock).catch((Signal) => { throw Signal });
  }
  const Patches = await Persistence.loadPatchesSince(20);
  await Persistence.saveSnapshot(new Uint8Array([1, 2, 3]), 20);
  await Persistence.prunePatches(20);
  await Persistence.saveValue('abc', new Uint8Array(10));
  await Persistence.releaseValue('abc');
  const value = await Persistence.loadValue('abc');
  await Persistence.close();
  console.log(JSON.stringify({ nothingBefore: before === undefined, patches: Patches.length, noValue: value === undefined }));
}
main();
`;

const formats: ModuleFormat[] = ['esm', 'cjs'];

it.each(formats)(
  'installed under the name of the replaced package, an unchanged program works (%s)',
  async (format) => {
    const folder = await installed(replaced);
    const dependencies = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).dependencies;
    expect(Object.keys(dependencies)).toEqual([replaced]);
    const program = place(folder, `main.${extensionOf[format]}`, unchanged(format));
    const dbPath = join(folder, 'store.db');
    expect(resultOf(await runNode([program, dbPath], { cwd: folder }), program)).toEqual({
      nothingBefore: true,
      patches: 30,
      noValue: true,
    });
    expect(rowsOf(dbPath).patches).toHaveLength(31);
  },
);

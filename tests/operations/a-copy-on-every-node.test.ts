/** A copy into a new file is whole once it is done, and nothing is left beside it: on every Node, also the one that closes late. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installed, nodes, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { rowsOf } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

const program = `import { copyStores, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
const { Patches } = await copyStores('store.db', 'copy.db');
// into one that a provider has open
const provider = new SDS_DesktopPersistenceProvider('open.db', 'mine');
await provider.appendPatch(new Uint8Array(3), 1);
await copyStores('store.db', 'open.db');
await provider.appendPatch(new Uint8Array(3), 2);
await provider.close();
console.log(JSON.stringify(Patches));
`;

it.each(Object.entries(nodes))('Node %s', async (_, node) => {
  const folder = await installed();
  makeStoreFile(join(folder, 'store.db'));
  const main = place(folder, 'main.mjs', program);
  const ended = await runNode([main], { cwd: folder, node });
  const printed = { ...ended, stderr: ended.stderr.replace(/.*SDS_SQLITE_WAL_RESET.*\n.*\n/, '') };
  expect(resultOf(printed, main)).toBe(60);
  expect(readdirSync(folder).filter((name) => /\.db|sds-partial/.test(name))).toEqual([
    'copy.db',
    'open.db',
    'store.db',
  ]);
  expect(rowsOf(join(folder, 'copy.db'))).toEqual(rowsOf(join(folder, 'store.db')));
  expect(rowsOf(join(folder, 'open.db')).patches).toHaveLength(62);
});

/** All operations on every Node that the package supports, from the packed package, without a flag. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installed, nodes, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { makeHalfWrittenFile, makeKilledFile, makeStoreFile } from '../support/store-files.ts';

const program = `import { existsSync, readFileSync } from 'node:fs';
import * as operations from 'sds-persistence-worker';
const { backupDatabase, compactDatabase, copyStores, describeDatabase, restoreDatabase, verifyDatabase } = operations;
const provider = new operations.SDS_DesktopPersistenceProvider('store.db', 'mine');
for (let clock = 1; clock <= 500; clock++) void provider.appendPatch(new Uint8Array(3000).fill(clock), clock);
await provider.flush();
await backupDatabase('store.db', 'backup.db');
await provider.close();
const checks = [];
const bytes = (name) => ['', '-wal', '-shm', '-journal'].map((end) => existsSync(name + end) && readFileSync(name + end, 'latin1')).join('|');
for (const name of ['half.db', 'killed.db']) {
  const before = bytes(name);
  await describeDatabase(name);
  await verifyDatabase(name);
  checks.push(bytes(name) === before);
}
for (const options of [{}, { LeaveUntouched: true }]) {
  const { Stores } = await describeDatabase('backup.db', options);
  checks.push(Stores.map(({ StoreId, Patches }) => [StoreId, Patches]));
  checks.push((await verifyDatabase('backup.db', options)).Findings);
}
await copyStores('backup.db', 'copy.db', { Stores: ['mine'] });
await copyStores('backup.db', 'copy.db', { Stores: ['mine'], Overwrite: true });
await restoreDatabase('copy.db', 'store.db', { Overwrite: true });
await compactDatabase('store.db');
const { Stores } = await describeDatabase('store.db');
checks.push(Stores.map(({ StoreId, Patches }) => [StoreId, Patches]));
console.log(JSON.stringify(checks));
`;

it.each(Object.entries(nodes))('Node %s', async (_, node) => {
  const folder = await installed();
  makeStoreFile(join(folder, 'store.db'));
  await makeHalfWrittenFile(join(folder, 'half.db'));
  await makeKilledFile(join(folder, 'killed.db'));
  const main = place(folder, 'main.mjs', program);
  const stores = [
    ['mine', 500],
    ['notes', 30],
    ['tasks', 30],
  ];
  const ended = await runNode([main], { cwd: folder, node });
  const printed = { ...ended, stderr: ended.stderr.replace(/.*SDS_SQLITE_WAL_RESET.*\n.*\n/, '') };
  expect(resultOf(printed, main)).toEqual([true, true, stores, [], stores, [], [['mine', 500]]]);
  const files = readdirSync(folder).filter((name) => /\.db|sds-partial/.test(name) && !/^(half|killed)/.test(name));
  expect(files.sort()).toEqual(['backup.db', 'copy.db', 'store.db']);
});

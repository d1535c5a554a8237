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
const bytes = (name) => ['', '-wal', '-journal'].map((end) => existsSync(name + end) && readFileSync(name + end, 'latin1')).join('|');
const before = ['half.db', 'killed.db'].map(bytes);
const patches = ({ Stores }) => Stores.map(({ Patches }) => Patches);
checks.push(await describeDatabase('half.db').then(patches, ({ code }) => code));
checks.push(patches(await describeDatabase('killed.db')));
await verifyDatabase('killed.db');
checks.push(['half.db', 'killed.db'].map((name, i) => bytes(name) === before[i]));
const found = await describeDatabase('backup.db');
checks.push(found.Stores.map(({ StoreId, Patches }) => [StoreId, Patches]));
checks.push((await verifyDatabase('backup.db')).Findings);
await copyStores('backup.db', 'copy.db', { Stores: ['mine'] });
await copyStores('backup.db', 'copy.db', { Stores: ['mine'], Overwrite: true });
await restoreDatabase('copy.db', 'store.db', { Overwrite: true });
await compactDatabase('store.db');
const { Stores } = await describeDatabase('store.db');
checks.push(Stores.map(({ StoreId, Patches }) => [StoreId, Patches]));
console.log(JSON.stringify(checks));
`;

it.each(Object.entries(nodes))('Node %s', async (version, node) => {
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
  // Node can tell SQLite to read only since 22.12: before, it takes in or back what killed programs have left
  const left =
    version === '22.5'
      ? [
          [30, 30],
          [30, 31],
          [false, false],
        ]
      : ['open-failed', [30, 31], [true, true]];
  const ended = await runNode([main], { cwd: folder, node });
  const printed = { ...ended, stderr: ended.stderr.replace(/.*SDS_SQLITE_WAL_RESET.*\n.*\n/, '') };
  expect(resultOf(printed, main)).toEqual([...left, stores, [], [['mine', 500]]]);
  const files = readdirSync(folder).filter((name) => /\.db|sds-partial/.test(name) && !/^(half|killed)/.test(name));
  expect(files.sort()).toEqual(['backup.db', 'copy.db', 'store.db']);
});

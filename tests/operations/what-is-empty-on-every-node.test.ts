/** A store, a key, a hash and bytes may all be empty: on every Node they are kept, described, verified and copied as any other. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installed, nodes, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { rowsOf } from '../support/files.ts';

const program = `
import { copyStores, describeDatabase, SDS_DesktopPersistenceProvider, transfer, verifyDatabase } from 'sds-persistence-worker';
const nothing = new Uint8Array(0);
const provider = new SDS_DesktopPersistenceProvider('store.db', '');
for (let clock = 1; clock <= 3; clock++) await provider.appendPatch(nothing, clock);
await provider.saveRecord('', nothing);
await provider.saveRecord('second', transfer(new Uint8Array(0)));
await provider.compactStore(nothing, await provider.loadStore());
await provider.appendPatch(nothing, 4);
await provider.saveValue('', nothing);
await provider.saveRecord('', nothing);
await provider.saveRecord('second', nothing);
const records = (await provider.loadRecords('')).map(({ Key, Data }) => [Key, Data.length]);
await provider.close();
const { Stores: [store] } = await describeDatabase('store.db');
const { Findings } = await verifyDatabase('store.db');
const { Snapshots, Patches, Records, Values } = await copyStores('store.db', 'copy.db');
const again = await copyStores('store.db', 'copy.db', { Stores: [''], Overwrite: true });
console.log(JSON.stringify({
  records,
  described: [store.SnapshotBytes, store.Patches, store.FirstClock, store.Records],
  Findings,
  copied: [Snapshots, Patches, Records, Values],
  again: again.Stores,
}));
`;

it.each(Object.entries(nodes))('on Node %s', async (_, node) => {
  const folder = await installed();
  const main = place(folder, 'main.mjs', program);
  const ended = await runNode([main], { cwd: folder, node });
  expect(resultOf(ended, main)).toEqual({
    records: [
      ['', 0],
      ['second', 0],
    ],
    described: [0, 1, 4, 2],
    Findings: [],
    copied: [1, 1, 2, 1],
    again: 1,
  });
  const { snapshots, patches, records } = rowsOf(join(folder, 'store.db'));
  expect(rowsOf(join(folder, 'copy.db'))).toMatchObject({ snapshots, patches, records });
});

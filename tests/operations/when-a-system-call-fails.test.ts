/** One call of the system fails within an operation: then that fails, and nothing is changed; or it does what it says. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toldUnderFaults } from '../support/faults.ts';
import { freshFolder, rowsOf } from '../support/files.ts';
import { makeKilledFile, makeStoreFile } from '../support/store-files.ts';

const literal = (text: string) => JSON.stringify(text);

it.for([
  ['compactDatabase', 'all.compactDatabase(path)'],
  ['backupDatabase over a file', 'all.backupDatabase(other, path, { Overwrite: true })'],
  ['restoreDatabase over a file', 'all.restoreDatabase(other, path, { Overwrite: true })'],
] as const)('%s, if the old log can not be removed: fails, and the file is as it was', async ([, work], { skip }) => {
  const half = "DELETE FROM patches WHERE store_id = 'tasks' AND clock < 500";
  const path = await makeKilledFile(join(freshFolder(), 'notes.db'), { patches: 900, sql: half });
  const before = join(freshFolder(), 'before.db');
  for (const end of ['', '-wal']) copyFileSync(path + end, before + end);
  const other = makeStoreFile(join(freshFolder(), 'other.db'));
  const told = await toldUnderFaults(
    `const [path, other] = [${literal(path)}, ${literal(other)}];
    faults.arm(UNLINKS, 'EACCES', 1, true);
    told.push(await outcome(${work}));`,
    'notes.db-wal',
    skip,
  );
  if (told === undefined) return;
  expect(told).toEqual([expect.stringMatching(/^read-only: .*EACCES: permission denied, unlink '.*notes.db-wal'/)]);
  expect(rowsOf(path)).toEqual(rowsOf(before));
});

it('a log that can not be looked at: what is read without it is no result', async ({ skip }) => {
  const folder = freshFolder();
  const told = await toldUnderFaults(
    `const [path, folder] = [${literal(join(folder, 'notes.db'))}, ${literal(folder)}];
    await new all.SDS_DesktopPersistenceProvider(path, 's').close();
    const provider = new all.SDS_DesktopPersistenceProvider(path, 's');
    for (let clock = 1; clock <= 40; clock++) void provider.appendPatch(new Uint8Array(9), clock);
    await provider.flush();
    let name = 0;
    const patchesIn = async (copy) => (await all.describeDatabase(copy)).Stores[0]?.Patches;
    const target = () => folder + '/copy-' + ++name + '.db';
    const works = {
      backupDatabase: async (to) => (await all.backupDatabase(path, to), to),
      restoreDatabase: async (to) => (await all.restoreDatabase(path, to), to),
      'provider.backup': async (to) => (await provider.backup(to), to),
      copyStores: async (to) => (await all.copyStores(path, to), to),
      describeDatabase: async () => (await all.describeDatabase(path)).Stores[0]?.Patches,
      verifyDatabase: async () => (await all.verifyDatabase(path)).Checked.Patches,
    };
    for (const [work, run] of Object.entries(works)) for (const calls of [ACCESSES, STATS]) for (const n of [1, 2]) {
      faults.arm(calls, 'EIO', n, false);
      let found = await run(target()).catch(({ code }) => code);
      const fired = faults.disarm();
      if (typeof found === 'string' && found.startsWith(folder)) found = await patchesIn(found);
      if (fired > 0) told.push([work, found]);
    }
    await provider.close();`,
    'notes.db-wal',
    skip,
  );
  if (told === undefined) return;
  expect(told.length).toBeGreaterThan(6);
  for (const [work, found] of told as [string, unknown][]) expect([40, 'io-error'], work).toContain(found);
});

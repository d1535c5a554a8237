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

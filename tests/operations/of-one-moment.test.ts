/** A backup is of one moment, and comes to its end, whatever others write to the file meanwhile. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { backupDatabase, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { makeStoreFile } from '../support/store-files.ts';

const large = { patches: 1500, patchBytes: 8000 };

it.each(['WAL', 'DELETE'])('one that nobody had open is written while it is copied (%s)', async (mode) => {
  const dbPath = makeStoreFile(freshFile(), { ...large, sql: `PRAGMA journal_mode = ${mode}` });
  const target = join(freshFolder(), 'backup.db');
  let other: DatabaseSync | undefined;
  let writes = 0;
  await backupDatabase(dbPath, target, {
    OnProgress() {
      // once and for all: a file with a rollback journal can't be written while somebody reads it
      if (other !== undefined) return;
      other = new DatabaseSync(dbPath);
      onTestFinished(() => other?.close());
      // all of the rows: half of them would show that the copy is of two moments
      other.exec('UPDATE patches SET data = zeroblob(7999)');
      writes++;
    },
  });
  expect(writes).toBe(1);
  const lengths = new Set(rowsOf(target).patches.map(({ data }) => String(data).length));
  expect(lengths.size).toBe(1);
});

it('writes and checkpoints that never pause do not make it begin anew', async () => {
  const dbPath = makeStoreFile(freshFile(), large);
  const target = join(freshFolder(), 'backup.db');
  await using provider = new SDS_DesktopPersistenceProvider(dbPath, 'others');
  let [clock, going] = [0, true];
  const write = () => {
    for (let i = 0; i < 50; i++) void provider.appendPatch(new Uint8Array(8000), ++clock);
    return provider.flush();
  };
  await write();
  const before = clock;
  const writing = (async () => {
    while (going) await write();
  })();
  let last = 0;
  let restarts = 0;
  await backupDatabase(dbPath, target, {
    OnProgress({ Done }) {
      if (Done < last) restarts++;
      last = Done;
    },
  });
  going = false;
  await writing;
  expect(restarts).toBe(0);
  const clocks = rowsOf(target)
    .patches.filter(({ store_id }) => store_id === 'others')
    .map((row) => Number(row.clock));
  expect(clocks).toEqual(clocks.map((_, i) => i + 1));
  expect(clocks.length).toBeGreaterThanOrEqual(before);
  expect(clocks.length).toBeLessThanOrEqual(clock);
});

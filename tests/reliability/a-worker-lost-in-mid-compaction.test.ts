/** A worker thread that is lost between two statements of a compaction or of the first record: nothing is lost, nothing done twice. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFile, freshFolder } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Ends the first worker thread that is about to prepare or run such a statement, as a crash in native code would. */
function deadly(statement: string): { preload: string; hasKilled: () => boolean } {
  const folder = freshFolder();
  const preload = join(folder, 'deadly.cjs');
  const marker = join(folder, 'died');
  writeFileSync(
    preload,
    `const { isMainThread } = require('node:worker_threads');
    if (!isMainThread) {
      const { existsSync, writeFileSync } = require('node:fs');
      const { DatabaseSync } = require('node:sqlite');
      for (const name of ['prepare', 'exec']) {
        const original = DatabaseSync.prototype[name];
        DatabaseSync.prototype[name] = function (sql) {
          if (sql.includes(${JSON.stringify(statement)}) && !existsSync(${JSON.stringify(marker)})) {
            writeFileSync(${JSON.stringify(marker)}, '');
            process.exit(1);
          }
          return original.call(this, sql);
        };
      }
    }`,
  );
  return { preload, hasKilled: () => existsSync(marker) };
}

const statements = [
  ['a look at the store', 'SELECT count(*) AS patches'],
  ['the snapshot', 'INSERT INTO snapshots'],
  ['the deletion of patches', 'DELETE FROM patches WHERE store_id = ? AND clock <='],
  ['the table of records', 'CREATE TABLE IF NOT EXISTS sds_records'],
  ['the first record', 'INSERT INTO sds_records'],
] as const;

it.each(statements.flatMap(([what, statement]) => [10, 200_000].map((size) => [what, size, statement] as const)))(
  'before %s, with %i bytes',
  async (_, size, statement) => {
    const { preload, hasKilled } = deadly(statement);
    const { code, stdout, stderr } = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      for (const clock of [1, 2, 3]) provider.appendPatch(patchOf(clock), clock);
      const contents = await provider.loadStore();
      const bytes = new Uint8Array(${size}).fill(7);
      const outcomes = await Promise.all([
        provider.appendPatch(patchOf(4), 4),
        provider.compactStore(bytes, contents),
        provider.compactStore(bytes, contents),
        provider.saveRecord('key', bytes),
        provider.appendPatch(patchOf(1), 1),
      ]);
      const { Snapshot, SnapshotClock, Patches } = await provider.loadStore();
      const record = await provider.loadRecord('key');
      const isWhole = (found) => found.length === ${size} && found.every((byte) => byte === 7);
      console.log(outcomes.join(), isWhole(Snapshot), SnapshotClock, Patches.map(String).join() === [1, 4].map(patchOf).join(), isWhole(record));
      await provider.close();`,
      freshFile(),
      { flags: ['--disable-warning=ExperimentalWarning', '--require', preload] },
    );
    expect(hasKilled()).toBe(true);
    expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: ',true,false,, true 3 true true\n' });
  },
);

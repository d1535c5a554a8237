/** A batch with a bad call is carried out call by call; a worker that is lost meanwhile takes only what it had not stored. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFile, freshFolder, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

it('a value that was handed over and stored is not said to be lost with the worker', async () => {
  const folder = freshFolder();
  const preload = join(folder, 'deadly.cjs');
  // ends the first worker thread as it is about to store a snapshot, as a crash in native code would
  writeFileSync(
    preload,
    `const { isMainThread } = require('node:worker_threads');
    if (!isMainThread) {
      const { existsSync, writeFileSync } = require('node:fs');
      const { DatabaseSync } = require('node:sqlite');
      const { prepare } = DatabaseSync.prototype;
      const marker = ${JSON.stringify(join(folder, 'died'))};
      DatabaseSync.prototype.prepare = function (sql) {
        if (/INTO snapshots/.test(sql) && !existsSync(marker)) {
          writeFileSync(marker, '');
          process.exit(1);
        }
        return prepare.call(this, sql);
      };
    }`,
  );
  const file = freshFile();
  const ended = await runProgram(
    `import { createHash } from 'node:crypto';
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
    await provider.ready();
    const value = new Uint8Array(1_000_000).fill(1);
    const hash = createHash('sha256').update(value).digest('hex');
    const calls = [
      provider.saveValue(hash, transfer(value, [value.buffer])),
      provider.saveValue('0'.repeat(64), patchOf(2)),
      provider.saveSnapshot(patchOf(3), 3),
    ];
    for (const { status, reason } of await Promise.allSettled(calls)) console.log(status, reason?.code);
    await provider.close();`,
    file,
    { flags: ['--disable-warning=ExperimentalWarning', '--require', preload] },
  );
  expect(ended).toMatchObject({
    code: 0,
    stdout: 'fulfilled undefined\nrejected invalid-argument\nfulfilled undefined\n',
  });
  expect(rowsOf(file)).toMatchObject({ blobs: [{ ref_count: 1 }], snapshots: [{ clock: 3 }] });
});

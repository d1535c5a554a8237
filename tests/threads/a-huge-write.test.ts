/** A file with a huge write does not hold up every other file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshFile, freshFolder } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** Preloaded: a worker says so when it is at a snapshot, and stays there until `gate` is a file, as at one of gigabytes; for a minute at most. */
const hugeSnapshots = (begun: string, gate: string) => `
const { isMainThread } = require('node:worker_threads');
if (!isMainThread) {
  const { existsSync, writeFileSync } = require('node:fs');
  const { DatabaseSync } = require('node:sqlite');
  const { prepare } = DatabaseSync.prototype;
  const cell = new Int32Array(new SharedArrayBuffer(4));
  DatabaseSync.prototype.prepare = function (sql) {
    let left = sql.includes('INTO snapshots') ? 12_000 : 0;
    if (left > 0) writeFileSync(${JSON.stringify(begun)}, '');
    while (left-- > 0 && !existsSync(${JSON.stringify(gate)})) Atomics.wait(cell, 0, 0, 5);
    return prepare.call(this, sql);
  };
}`;

describe('a huge write', () => {
  it('is overtaken by a small one on another file, called later', async () => {
    const folder = freshFolder();
    const [begun, gate, preload] = ['begun', 'gate', 'huge-snapshots.cjs'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(preload, hugeSnapshots(begun, gate));
    const { stdout, stderr } = await runProgram(
      `import { existsSync, writeFileSync } from 'node:fs';
      const options = { Acknowledge: 'committed' };
      const [large, small] = ['1', '2'].map((end) => new SDS_DesktopPersistenceProvider(file + end, 'store', options));
      await Promise.all([large.ready(), small.ready()]);
      const order = [];
      const huge = large.saveSnapshot(new Uint8Array(1_000_000), 1).then(() => order.push('huge'));
      while (!existsSync(${JSON.stringify(begun)})) await new Promise((resolve) => setTimeout(resolve, 5));
      await small.appendPatch(patchOf(1), 1).then(() => order.push('quick'));
      writeFileSync(${JSON.stringify(gate)}, '');
      await huge;
      console.log(order.join());
      await Promise.all([large.close(), small.close()]);`,
      freshFile(),
      { flags: ['--require', preload] },
    );
    expect({ stdout, stderr }).toEqual({ stdout: 'quick,huge\n', stderr: '' });
  });
});

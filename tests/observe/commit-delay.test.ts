/** The commit delay is the worker's to count: it ends with the commit, however late this thread hears of it. Here it is blocked meanwhile. */
import { execFileSync } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';

/** Blocks this thread until another process finds the patch in the file, and until the worker has noted that as well; returns then, after some more time. */
function blockUntilNoted(file: string, clock: number): number {
  const look = `const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync(${JSON.stringify(file)}, { readOnly: true });
const patch = database.prepare('SELECT 1 FROM patches WHERE clock = ${clock}');
while (patch.all().length === 0);`;
  execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', '-e', look]);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  const notedAt = performance.now();
  execFileSync(process.execPath, ['-e', '']);
  return notedAt;
}

const calls: [string, (provider: SDS_DesktopPersistenceProvider) => Promise<unknown>][] = [
  ['a patch that is gathered', (provider) => provider.appendPatch(patchOf(2), 2)],
  ['a large patch, which crosses by itself', (provider) => provider.appendPatch(new Uint8Array(300_000), 2)],
  [
    'a patch beside a call that fails, so that each is done by itself',
    (provider) => {
      void provider.saveValue('0'.repeat(64), patchOf('other')).catch(() => {});
      return provider.appendPatch(patchOf(2), 2);
    },
  ],
];

it.each(calls)('of %s', async (_, call) => {
  const file = freshFile();
  await using provider = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
  await provider.ready();
  const calledAt = performance.now();
  call(provider).catch(() => {});
  await turn();
  const notedAt = blockUntilNoted(file, 2);
  await provider.flush().catch(() => {});
  const { P50, Max } = provider.statistics().CommitDelayMs;
  expect(P50).toBeGreaterThan(0);
  expect(Max).toBeLessThan(notedAt - calledAt);
});

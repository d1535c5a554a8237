/** A worker may be lost in the middle of noting that a batch has failed: what it leaves is neither success nor half a batch. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

it('patches of a locked file: told as stored are stored, all of them, and told as failed are not', async () => {
  const { code, stdout, stderr } = await runProgram(
    `import { DatabaseSync } from 'node:sqlite';
    let worker;
    process.on('worker', (started) => (worker = started));
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { BusyTimeoutMs: 0 });
    await provider.ready();
    const other = new DatabaseSync(file);
    const found = { failed: 0, wrong: 0 };
    for (let round = 0; round < 20 || found.failed === 0; round++) {
      other.exec('PRAGMA busy_timeout = 5000; DELETE FROM patches; BEGIN IMMEDIATE');
      const groups = new Map(); // patches that share a promise
      for (let clock = 1; clock <= 20_000; clock++) {
        const promise = provider.appendPatch(new Uint8Array(20), clock);
        if (!groups.has(promise)) groups.set(promise, []);
        groups.get(promise).push(clock);
      }
      const outcomes = Promise.allSettled(groups.keys());
      await null; // sent
      // no event tells that it is noting failures: it is ended at another moment each time, later if it never came so far
      for (const until = performance.now() + round * 0.2 * Math.max(1, round - 19); performance.now() < until; );
      await endThread(worker);
      other.exec('ROLLBACK');
      const told = await outcomes;
      const stored = new Set(other.prepare('SELECT clock FROM patches').all().map(({ clock }) => clock));
      [...groups.values()].forEach((clocks, index) => {
        const there = clocks.filter((clock) => stored.has(clock)).length;
        const { status } = told[index];
        if (status === 'rejected') found.failed++;
        if (there !== (status === 'fulfilled' ? clocks.length : 0)) found.wrong++;
      });
    }
    console.log(JSON.stringify(found));
    other.close();
    await provider.close();`,
    freshFile(),
    { flags: ['--disable-warning=ExperimentalWarning'] },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { failed, wrong } = JSON.parse(stdout) as { failed: number; wrong: number };
  expect(wrong).toBe(0);
  expect(failed, 'or the worker was never at the moment in question').toBeGreaterThan(0);
});

/** A commit that fails may be stored all the same: SQLite writes to its log before it asks for the disk's word. */
import { expect, test } from 'vitest';
import { toldUnderFaults } from '../support/faults.ts';

interface Told {
  outcomes: string[];
  meetings: number;
  isPatchThere: boolean;
  counts: Record<string, number>;
}

const oneBatch = `
  faults.arm(SYNCS, 'EIO', 1, true);
  call(provider.saveValue('new', Uint8Array.of(2)));
  call(provider.appendPatch(Uint8Array.of(3), 1));
  call(provider.releaseValue('twice'));`;
// while the first call waits for the lock, the others are gathered in one batch after the other
const severalBatches = `
  const holder = lockFile(path);
  provider.appendPatch(Uint8Array.of(4), 100);
  await pause(30);
  call(provider.saveValue('new', Uint8Array.of(2)));
  call(provider.appendPatch(Uint8Array.of(3), 1));
  for (let number = 2; number < 14; number++) {
    provider.appendPatch(new Uint8Array(10_000), number).catch(() => undefined);
    await pause(5);
  }
  call(provider.releaseValue('twice'));
  await pause(30);
  faults.arm(SYNCS, 'EIO', 2, true);
  holder.exec('ROLLBACK');
  holder.close();`;

for (const [what, calls] of Object.entries({ 'one batch': oneBatch, 'several batches': severalBatches })) {
  test(`no reference to a value is counted twice, whether the commit of ${what} that failed is stored or not`, async ({
    skip,
  }) => {
    const told = await toldUnderFaults(
      `
      import { DatabaseSync } from 'node:sqlite';
      import { setTimeout as pause } from 'node:timers/promises';
      const path = file.replace('unused', 'faulty');
      const provider = new all.SDS_DesktopPersistenceProvider(path, 'store', { Durability: 'full', Acknowledge: 'committed' });
      await provider.saveValue('twice', Uint8Array.of(1));
      await provider.saveValue('twice', Uint8Array.of(1));
      const outcomes = [];
      const call = (promise) => outcomes.push(outcome(promise));
      ${calls}
      const found = await Promise.all(outcomes);
      const meetings = faults.disarm();
      await provider.flush();
      const isPatchThere = (await provider.loadPatchesSince(0)).some((patch) => patch[0] === 3);
      await provider.close();
      const database = new DatabaseSync(path);
      const rows = database.prepare('SELECT hash, ref_count FROM blobs').all();
      const counts = Object.fromEntries(rows.map((row) => [row.hash, row.ref_count]));
      told.push({ outcomes: found.map((text) => text.split(':')[0]), meetings, isPatchThere, counts });
      `,
      'faulty',
      skip,
    );
    if (told === undefined) return skip('no library makes system calls fail here');
    const { outcomes, meetings, isPatchThere, counts } = told[0] as Told;
    expect(meetings).toBeGreaterThan(0);
    expect([undefined, 1], 'the value that was saved once').toContain(counts.new);
    if (outcomes[1] === 'done') expect(isPatchThere).toBe(true);
    // one of the two that refer to it is left at least, and whoever has not heard that it was released may release it again
    expect([1, 2], 'the value that was released once').toContain(counts.twice);
  });
}

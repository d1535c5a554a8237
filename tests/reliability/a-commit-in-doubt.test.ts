/** A commit that fails may be stored all the same: SQLite writes to its log before it asks for the disk's word. */
import { expect, test } from 'vitest';
import { toldUnderFaults } from '../support/faults.ts';

interface Told {
  outcomes: string[];
  meetings: number;
  isPatchThere: boolean;
  counts: Record<string, number>;
}

test('no reference to a value is counted twice, whether the commit that failed is stored or not', async ({ skip }) => {
  const told = await toldUnderFaults(
    `
    import { DatabaseSync } from 'node:sqlite';
    const path = file.replace('unused', 'faulty');
    const provider = new all.SDS_DesktopPersistenceProvider(path, 'store', { Durability: 'full', Acknowledge: 'committed' });
    await provider.saveValue('twice', Uint8Array.of(1));
    await provider.saveValue('twice', Uint8Array.of(1));
    faults.arm(SYNCS, 'EIO', 1, true);
    const calls = [
      provider.saveValue('new', Uint8Array.of(2)),
      provider.appendPatch(Uint8Array.of(3), 1),
      provider.releaseValue('twice'),
    ];
    const outcomes = await Promise.all(calls.map(outcome));
    const meetings = faults.disarm();
    await provider.flush();
    const isPatchThere = (await provider.loadPatchesSince(0)).length === 1;
    await provider.close();
    const database = new DatabaseSync(path);
    const counts = Object.fromEntries(database.prepare('SELECT hash, ref_count FROM blobs').all().map((row) => [row.hash, row.ref_count]));
    told.push({ outcomes: outcomes.map((text) => text.split(':')[0]), meetings, isPatchThere, counts });
    `,
    'faulty',
    skip,
  );
  if (told === undefined) return skip('no library makes system calls fail here');
  const { outcomes, meetings, isPatchThere, counts } = told[0] as Told;
  expect(meetings).toBeGreaterThan(0);
  expect(outcomes[0]).toBe('io-error');
  expect([undefined, 1], 'the value that was saved once').toContain(counts.new);
  if (outcomes[1] === 'done') expect(isPatchThere).toBe(true);
  // one of the two that refer to it is left at least, and whoever has not heard that it was released may release it again
  expect(outcomes[2]).toBe('io-error');
  expect([1, 2], 'the value that was released once').toContain(counts.twice);
});

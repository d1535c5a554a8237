/** Where calls are refused for want of room, a large write of one store shuts out no small call of the others. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

const MIB = 1024 * 1024;

describeOnPostgresql('a snapshot larger than MaxPendingBytes', () => {
  it.each([
    ['while it waits, no patch of another store is refused', ['snapshot', 'patch']],
    ['it is not refused while a patch of another store waits', ['patch', 'snapshot']],
  ])('%s', async (_, order) => {
    const url = await postgresql.freshPlace();
    const options = { MaxPendingBytes: MIB, Acknowledge: 'committed' } as const;
    await using one = new SDS_DesktopPersistenceProvider(url, 'one', options);
    await using other = new SDS_DesktopPersistenceProvider(url, 'other', options);
    await Promise.all([one.ready(), other.ready()]);
    const snapshot = new Uint8Array(2 * MIB).fill(7);
    await Promise.all(
      order.map((what) => (what === 'patch' ? other.appendPatch(patchOf(1), 1) : one.saveSnapshot(snapshot, 1))),
    );
    expect(await other.loadPatchesSince(0)).toEqual([patchOf(1)]);
    expect(await one.loadSnapshot()).toEqual(snapshot);
  });
});

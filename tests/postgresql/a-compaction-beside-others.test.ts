/** A compaction while other processes write, remove or take over the same store, or the connection is cut. */
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OtherProcess } from '../../torture/other-process.ts';
import { text } from '../semantics/contract-suite.ts';
import { patchOf } from '../support/files.ts';
import { describeOnPostgresql, postgresql, proxiedPlace, server } from '../support/postgresql.ts';
import { databaseOf } from '../support/postgresql-engine.ts';

const SIZES = [10, 1_000_000];

function open(url: string, options: SDS_ProviderOptions = {}): SDS_DesktopPersistenceProvider {
  const provider = new SDS_DesktopPersistenceProvider(url, 'store', { BusyTimeoutMs: 30_000, ...options });
  onTestFinished(() => provider.close());
  return provider;
}

/** Resolves once a transaction waits for another one's lock. */
function oneWaits(url: string): Promise<void> {
  return expect.poll(() => server.waitingForLock(databaseOf(url))).toHaveLength(1);
}

/** A store of three patches, and another process that has begun to change it by `sql`, and not ended. */
async function beside(sql: string) {
  const url = await postgresql.freshPlace();
  const provider = open(url, { Ownership: 'shared' });
  for (const clock of [1, 2, 4]) void provider.appendPatch(patchOf(clock), clock);
  const seen = await provider.loadStore();
  const other = await server.connect(databaseOf(url));
  onTestFinished(() => other.end());
  await other.query('BEGIN');
  await other.query(sql);
  return { provider, seen, waits: () => oneWaits(url), commit: () => other.query('COMMIT') };
}

const patchesOf = async (provider: SDS_DesktopPersistenceProvider) => (await provider.loadStore()).Patches.map(text);

describeOnPostgresql('a compaction', () => {
  describe.each(SIZES)('of %i bytes', (size) => {
    const snapshot = new Uint8Array(size).fill(7);

    it('leaves a patch alone that another process was about to commit', async () => {
      const { provider, seen, commit } = await beside("INSERT INTO sds_patches VALUES ('store', 3, 'patch 3')");
      expect(await provider.compactStore(snapshot, seen)).toBe(true);
      await commit();
      expect(await patchesOf(provider)).toEqual(['patch 3']);
      expect(await provider.loadSnapshot()).toEqual(snapshot);
    });

    it('changes nothing if another process deletes a patch at the same time', async () => {
      const { provider, seen, waits, commit } = await beside('DELETE FROM sds_patches WHERE clock = 2');
      const compacting = provider.compactStore(snapshot, seen);
      await waits();
      await commit();
      expect(await compacting).toBe(false);
      expect(await patchesOf(provider)).toEqual(['patch 1', 'patch 4']);
      expect(await provider.loadSnapshot()).toBeUndefined();
    });

    it('changes nothing if another process saves the first snapshot at the same time', async () => {
      const { provider, seen, waits, commit } = await beside(
        "INSERT INTO sds_snapshots VALUES ('store', 4, '', 5, 'other')",
      );
      const compacting = provider.compactStore(snapshot, seen);
      await waits();
      await commit();
      expect(await compacting).toBe(false);
      expect(await patchesOf(provider)).toEqual(['patch 1', 'patch 2', 'patch 4']);
      expect(text(await provider.loadSnapshot())).toBe('other');
    });

    it('of a store that was taken over meanwhile is refused, and so is its removal: nothing is changed', async () => {
      const { proxy, url, database } = await proxiedPlace();
      const provider = open(url, { LeaseMs: 1000 });
      for (const clock of [1, 2]) void provider.appendPatch(patchOf(clock), clock);
      void provider.saveRecord('key', patchOf('record'));
      const seen = await provider.loadStore();
      proxy.pause();
      const calls = [
        provider.compactStore(snapshot, seen),
        provider.removeStore(),
        provider.saveRecord('key', patchOf('other')),
        provider.removeRecords(''),
      ];
      const outcomes = Promise.allSettled(calls);
      const other = new OtherProcess();
      onTestFinished(() => other.end());
      expect(await other.request(server.url(database), 'store', 'open', { BusyTimeoutMs: 60_000 })).toBeUndefined();
      proxy.resume();
      const codes = (await outcomes).map((outcome) => outcome.status === 'rejected' && outcome.reason.code);
      expect(codes).toEqual(['fenced', 'fenced', 'fenced', 'fenced']);
      const { patches, snapshots, records } = await postgresql.rowsOf(server.url(database));
      expect([patches.length, snapshots.length]).toEqual([2, 0]);
      expect(records.map(({ data }) => text(Buffer.from(String(data), 'hex')))).toEqual(['patch record']);
    });

    it('is carried out once if its connection is cut, after whichever byte', async () => {
      const { proxy, url, database } = await proxiedPlace();
      const provider = open(url);
      /** A store of three patches and a snapshot, compacted; how many bytes that takes. */
      const compact = async (wanted: Uint8Array) => {
        await provider.removeStore();
        for (const clock of [1, 2, 3]) void provider.appendPatch(patchOf(clock), clock);
        void provider.saveSnapshot(new Uint8Array(300_000), 2);
        const seen = await provider.loadStore();
        const before = { ...proxy.bytes };
        return async () => {
          expect(await provider.compactStore(wanted, seen)).toBe(true);
          return { up: proxy.bytes.up - before.up, down: proxy.bytes.down - before.down };
        };
      };
      const needed = await (await compact(snapshot))();
      for (const direction of ['up', 'down'] as const) {
        for (let part = 1; part < 10; part++) {
          const wanted = new Uint8Array(size).fill(part);
          const carryOut = await compact(wanted);
          const cut = proxy.cutAfter(direction, Math.ceil((needed[direction] * part) / 10));
          await carryOut();
          const found = await provider.loadStore();
          await cut;
          expect(found).toMatchObject({ SnapshotClock: 3, Patches: [] });
          expect(Buffer.compare(found.Snapshot ?? Buffer.alloc(0), wanted)).toBe(0);
        }
      }
      expect(proxy.cut).toBe(18);
      await provider.close();
      const { snapshots } = await postgresql.rowsOf(server.url(database));
      expect(snapshots).toHaveLength(1);
    });
  });
});

describeOnPostgresql('a store that is removed', () => {
  it('while another process has it: that one sees nothing of it any more, and begins a new one', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url, { Ownership: 'shared' });
    const other = new OtherProcess();
    onTestFinished(() => other.end());
    await other.request(url, 'store', 'open');
    const there = (clock: number) =>
      other.request(url, 'store', { kind: 'appendPatch', clock, bytes: patchOf(`there ${clock}`) });
    await there(1);
    void provider.appendPatch(patchOf('here'), 2);
    void provider.saveSnapshot(new Uint8Array(1_000_000), 1);
    await provider.removeStore();
    expect(await other.request(url, 'store', { kind: 'loadPatchesSince', clock: 0 })).toEqual([]);
    expect(await other.request(url, 'store', { kind: 'loadSnapshot' })).toBeUndefined();
    expect(await provider.listStores()).toEqual([]);
    await there(3);
    expect(await patchesOf(provider)).toEqual(['patch there 3']);
  });

  it('leaves a snapshot whole that another process saves at the same time', async () => {
    const url = await postgresql.freshPlace();
    const provider = open(url, { Ownership: 'shared' });
    await provider.saveRecord('key', patchOf('record'));
    const [other, holding] = [await server.connect(databaseOf(url)), await server.connect(databaseOf(url))];
    for (const client of [other, holding]) onTestFinished(() => client.end());
    // it waits between the tables
    await holding.query('BEGIN; SELECT 1 FROM sds_records FOR UPDATE');
    const removing = provider.removeStore();
    await oneWaits(url);
    await other.query(
      "BEGIN; INSERT INTO sds_snapshot_chunks VALUES ('store', 'of the other', 0, 'other'); " +
        "INSERT INTO sds_snapshots VALUES ('store', 4, 'of the other', 5, NULL); COMMIT",
    );
    await holding.query('ROLLBACK');
    await removing;
    expect(text(await provider.loadSnapshot())).toBe('other');
  });
});

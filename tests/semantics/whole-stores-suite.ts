/** A store as a whole, loaded, compacted, removed and listed: as one suite that any implementation runs. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExtendedProvider, Seen } from '../support/extended-reference.ts';
import { freshFile, patchOf } from '../support/files.ts';
import { text } from './contract-suite.ts';

export type OpenExtended = (dbPath: string, storeId: string) => ExtendedProvider;

const nothing = { Snapshot: undefined, SnapshotClock: undefined, Patches: [], LastClock: 0 };

export function describeWholeStores(
  name: string,
  open: OpenExtended,
  freshPlace: () => string | Promise<string> = freshFile,
): void {
  describe(`whole stores, kept by ${name}`, () => {
    let dbPath: string;
    const opened: ExtendedProvider[] = [];
    const store = (storeId = 'store'): ExtendedProvider => {
      const provider = open(dbPath, storeId);
      opened.push(provider);
      return provider;
    };
    /** What lies in a store, in words. */
    const contentsOf = async (provider: ExtendedProvider) => {
      const { Snapshot, SnapshotClock, Patches, LastClock } = await provider.loadStore();
      return { snapshot: Snapshot && text(Snapshot), at: SnapshotClock, patches: Patches.map(text), last: LastClock };
    };

    beforeEach(async () => {
      dbPath = await freshPlace();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((provider) => provider.close()));
    });

    // ---- loaded at once -----------------------------------------------------------------------------

    it('loads nothing of a store that is not there', async () => {
      expect(await store().loadStore()).toEqual(nothing);
    });

    it('loads snapshot and patches at once, in order, those included that the snapshot covers', async () => {
      const provider = store();
      for (const clock of [3, 1, -2, 4, 0]) void provider.appendPatch(patchOf(clock), clock);
      void provider.saveSnapshot(patchOf('snapshot'), 3);
      expect(await contentsOf(provider)).toEqual({
        snapshot: 'patch snapshot',
        at: 3,
        patches: ['patch -2', 'patch 0', 'patch 1', 'patch 3', 'patch 4'],
        last: 4,
      });
    });

    it('tells the highest number, be it of a patch or of the snapshot, and at the bounds of what numbers may be', async () => {
      const [onlySnapshot, lowest, highest] = [store('snapshot'), store('lowest'), store('highest')];
      void onlySnapshot.saveSnapshot(patchOf('snapshot'), 7);
      expect(await contentsOf(onlySnapshot)).toEqual({ snapshot: 'patch snapshot', at: 7, patches: [], last: 7 });
      void onlySnapshot.appendPatch(patchOf(2), 2);
      expect((await onlySnapshot.loadStore()).LastClock).toBe(7);
      void lowest.appendPatch(patchOf('lowest'), Number.MIN_SAFE_INTEGER);
      const found = { snapshot: undefined, at: undefined, patches: ['patch lowest'], last: Number.MIN_SAFE_INTEGER };
      expect(await contentsOf(lowest)).toEqual(found);
      void highest.appendPatch(patchOf('highest'), Number.MAX_SAFE_INTEGER);
      expect((await highest.loadStore()).LastClock).toBe(Number.MAX_SAFE_INTEGER);
    });

    it('loads a store of many patches, small and large, and a large snapshot', async () => {
      const provider = store();
      const sizes = Array.from({ length: 3000 }, (_, i) => (i % 500 === 0 ? 200_000 : i % 300));
      for (const [i, size] of sizes.entries()) void provider.appendPatch(new Uint8Array(size).fill(i), i + 1);
      void provider.saveSnapshot(new Uint8Array(3_000_000).fill(9), 1);
      const { Snapshot, Patches } = await provider.loadStore();
      expect(Patches.map(({ byteLength }) => byteLength)).toEqual(sizes);
      expect(Patches.every((patch, i) => patch.every((byte) => byte === i % 256))).toBe(true);
      expect(Snapshot?.byteLength).toBe(3_000_000);
    });

    // ---- compaction ---------------------------------------------------------------------------------

    it('compacts: the snapshot takes the place of all that was seen, and what came since stays', async () => {
      const provider = store();
      for (const clock of [1, 2, 3]) void provider.appendPatch(patchOf(clock), clock);
      const first = await provider.loadStore();
      void provider.appendPatch(patchOf(4), 4);
      expect(await provider.compactStore(patchOf('1 to 3'), first)).toBe(true);
      expect(await contentsOf(provider)).toEqual({ snapshot: 'patch 1 to 3', at: 3, patches: ['patch 4'], last: 4 });
      expect(await provider.compactStore(patchOf('1 to 4'), await provider.loadStore())).toBe(true);
      expect(await contentsOf(provider)).toEqual({ snapshot: 'patch 1 to 4', at: 4, patches: [], last: 4 });
      expect(text(await provider.loadSnapshot())).toBe('patch 1 to 4');
    });

    it('compacts a store in which there is nothing, or no more than a snapshot', async () => {
      const provider = store();
      expect(await provider.compactStore(patchOf('empty'), await provider.loadStore())).toBe(true);
      expect(await contentsOf(provider)).toEqual({ snapshot: 'patch empty', at: 0, patches: [], last: 0 });
      expect(await provider.compactStore(new Uint8Array(0), await provider.loadStore())).toBe(true);
      expect(await provider.loadSnapshot()).toEqual(new Uint8Array(0));
    });

    it('compacts by large bytes as by small ones, and needs no patch but their count', async () => {
      const provider = store();
      const large = new Uint8Array(2_000_000).fill(3);
      void provider.appendPatch(large, 1);
      const { SnapshotClock, Patches, LastClock } = await provider.loadStore();
      const seen = { SnapshotClock, Patches: Patches.map(() => new Uint8Array(0)), LastClock };
      expect(await provider.compactStore(large, seen)).toBe(true);
      expect(Buffer.compare((await provider.loadSnapshot()) ?? Buffer.alloc(0), large)).toBe(0);
      expect(await provider.compactStore(large, seen)).toBe(false);
    });

    /** What comes between a look at a store and its compaction, so that nothing is to be changed. */
    const meanwhile: Record<string, (provider: ExtendedProvider) => Promise<unknown>> = {
      'another patch has such a number': (provider) => provider.appendPatch(patchOf('between'), 3),
      'another snapshot is there': (provider) => provider.saveSnapshot(patchOf('other'), 3),
      'the snapshot is there for the first time': (provider) => provider.saveSnapshot(patchOf('other'), 5),
      'patches were pruned': (provider) => provider.prunePatches(3),
      'the store was removed': (provider) => provider.removeStore(),
      'somebody else has compacted it': async (provider) =>
        provider.compactStore(patchOf('other'), await provider.loadStore()),
    };
    for (const [what, happens] of Object.entries(meanwhile)) {
      for (const size of [10, 200_000]) {
        it(`changes nothing, and says so, if meanwhile ${what}: ${size} bytes`, async () => {
          const provider = store();
          for (const clock of [1, 2, 4, 5]) void provider.appendPatch(patchOf(clock), clock);
          const seen = await provider.loadStore();
          await happens(provider);
          const before = await contentsOf(provider);
          expect(await provider.compactStore(new Uint8Array(size), seen)).toBe(false);
          expect(await contentsOf(provider)).toEqual(before);
        });
      }
    }

    it('takes away no patch that came late, below the number of the snapshot, since the look at the store', async () => {
      const provider = store();
      void provider.appendPatch(patchOf(5), 5);
      expect(await provider.compactStore(patchOf('5'), await provider.loadStore())).toBe(true);
      void provider.appendPatch(patchOf('late'), 2);
      const [seen, seenByAnother] = [await provider.loadStore(), await provider.loadStore()];
      expect(await provider.compactStore(patchOf('5 and late'), seen)).toBe(true);
      await provider.appendPatch(patchOf('later'), 2);
      expect(await provider.compactStore(patchOf('5 and late'), seenByAnother)).toBe(false);
      // the number of a snapshot does not come twice, or these two states could not be told apart
      const found = { snapshot: 'patch 5 and late', at: 6, patches: ['patch later'], last: 6 };
      expect(await contentsOf(provider)).toEqual(found);
    });

    it('compacts in its place between calls that nobody awaits, and its failure to do so is no other call’s', async () => {
      const provider = store();
      for (const clock of [1, 2, 3]) void provider.appendPatch(patchOf(clock), clock);
      const seen = await provider.loadStore();
      const calls = [
        provider.appendPatch(patchOf(4), 4),
        provider.compactStore(patchOf('1 to 3'), seen),
        provider.appendPatch(patchOf('1 again'), 1),
        provider.compactStore(patchOf('1 to 3 again'), seen),
        provider.saveRecord('key', patchOf('record')),
        provider.appendPatch(patchOf(5), 5),
      ];
      expect((await contentsOf(provider)).patches).toEqual(['patch 1 again', 'patch 4', 'patch 5']);
      expect(await Promise.all(calls)).toEqual([undefined, true, undefined, false, undefined, undefined]);
      expect(text(await provider.loadSnapshot())).toBe('patch 1 to 3');
    });

    it('compacts again and again while patches are appended, and has all of them in the end', async () => {
      const provider = store();
      const appended: string[] = [];
      let clock = 0;
      const append = () => {
        appended.push(`${++clock}`);
        void provider.appendPatch(patchOf(clock), clock);
      };
      const merged = ({ Snapshot, Patches }: { Snapshot: Uint8Array | undefined; Patches: Uint8Array[] }) =>
        [...(Snapshot === undefined ? [] : text(Snapshot).split(',')), ...Patches.map((patch) => text(patch).slice(6))] //
          .filter((part) => part !== '');
      let compactions = 0;
      for (let round = 0; round < 50; round++) {
        for (let i = 0; i < 20; i++) append();
        const contents = await provider.loadStore();
        append();
        const data = new TextEncoder().encode(merged(contents).join(','));
        const compacting = provider.compactStore(data, contents);
        append();
        if (await compacting) compactions++;
      }
      expect(compactions).toBe(50);
      expect(merged(await provider.loadStore())).toEqual(appended);
    });

    it('leaves other stores, records and values alone when it compacts', async () => {
      const [provider, other] = [store(), store('other')];
      void other.appendPatch(patchOf('other'), 1);
      void provider.appendPatch(patchOf(1), 1);
      void provider.saveRecord('key', patchOf('record'));
      void provider.saveValue('hash', patchOf('value'));
      expect(await provider.compactStore(patchOf('snapshot'), await provider.loadStore())).toBe(true);
      expect((await contentsOf(other)).patches).toEqual(['patch other']);
      expect(text(await provider.loadRecord('key'))).toBe('patch record');
      expect(text(await provider.loadValue('hash'))).toBe('patch value');
    });

    // ---- removal ------------------------------------------------------------------------------------

    it('removes all of a store, and of no other; values stay', async () => {
      const [provider, other] = [store(), store('store, and more')];
      for (const each of [provider, other]) {
        for (const clock of [1, 2]) void each.appendPatch(patchOf(clock), clock);
        void each.saveSnapshot(new Uint8Array(500_000), 1);
        void each.saveRecord('key', patchOf('record'));
      }
      await provider.saveValue('hash', patchOf('value'));
      await provider.removeStore();
      expect(await provider.loadStore()).toEqual(nothing);
      expect(await provider.loadRecords()).toEqual([]);
      expect((await contentsOf(other)).patches).toEqual(['patch 1', 'patch 2']);
      expect(await other.loadRecords()).toHaveLength(1);
      expect(text(await provider.loadValue('hash'))).toBe('patch value');
      await provider.removeStore();
    });

    it('begins a new store with what is called behind a removal, awaited or not', async () => {
      const provider = store();
      void provider.appendPatch(patchOf('old'), 1);
      void provider.saveSnapshot(patchOf('old snapshot'), 1);
      void provider.saveRecord('key', patchOf('old record'));
      void provider.removeStore();
      void provider.appendPatch(patchOf('new'), 1);
      void provider.saveRecord('another', patchOf('new record'));
      expect(await contentsOf(provider)).toEqual({
        snapshot: undefined,
        at: undefined,
        patches: ['patch new'],
        last: 1,
      });
      expect((await provider.loadRecords()).map(({ Key }) => Key)).toEqual(['another']);
    });

    // ---- which stores there are -----------------------------------------------------------------------

    it('lists the stores that have patches, a snapshot or records, in the order of their UTF-8 bytes', async () => {
      const lister = store('nothing in it');
      expect(await lister.listStores()).toEqual([]);
      const names = ['', 'a', 'a\0b', 'ab', 'b', 'ä', '\uffff', '😀', '\u{10ffff}', 'x'.repeat(3000), '\ud800 lone'];
      for (const [i, name] of [...names].reverse().entries()) {
        const provider = store(name);
        if (i % 3 === 0) await provider.appendPatch(patchOf(1), 1);
        if (i % 3 === 1) await provider.saveSnapshot(patchOf('snapshot'));
        if (i % 3 === 2) await provider.saveRecord('key', patchOf('record'));
      }
      const wanted = names
        .map((name) => name.toWellFormed())
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await lister.listStores()).toEqual(wanted);
    });

    it('lists a store once, however much lies in it, and no longer once nothing does', async () => {
      const [pruned, removed, stays] = [store('pruned'), store('removed'), store('stays')];
      for (const provider of [pruned, removed, stays]) {
        for (let clock = 1; clock <= 300; clock++) void provider.appendPatch(patchOf(clock), clock);
        void provider.saveRecord('key', patchOf('record'));
      }
      await stays.saveSnapshot(patchOf('snapshot'), 1);
      const before = stays.listStores();
      void pruned.prunePatches(301);
      void pruned.removeRecord('key');
      void removed.removeStore();
      expect(await before).toEqual(['pruned', 'removed', 'stays']);
      await Promise.all([pruned, removed].map((provider) => provider.loadStore())); // their calls are done
      expect(await stays.listStores()).toEqual(['stays']);
    });

    it('finds everything again after it was closed and opened', async () => {
      const first = store();
      for (let clock = 1; clock <= 10; clock++) void first.appendPatch(patchOf(clock), clock);
      const seen: Seen = await first.loadStore();
      void first.appendPatch(patchOf(11), 11);
      void first.compactStore(patchOf('1 to 10'), seen);
      await first.close();
      expect(await contentsOf(store())).toEqual({ snapshot: 'patch 1 to 10', at: 10, patches: ['patch 11'], last: 11 });
    });
  });
}

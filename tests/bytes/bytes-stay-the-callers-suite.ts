/** By default a call copies the bytes before it returns, and never looks at them again. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { wasmMemory } from '../support/wasm.ts';

const SMALL = 200;
const LARGE = 1_000_000; // travels beside the slabs

const emptyStore = { SnapshotClock: undefined, Patches: [], LastClock: 0 };

/** Each way in, and the way to read what it stored. */
const ways = [
  {
    method: 'appendPatch',
    store: (provider: SDS_DesktopPersistenceProvider, bytes: Uint8Array) => provider.appendPatch(bytes, 1),
    read: async (provider: SDS_DesktopPersistenceProvider) => (await provider.loadPatchesSince(0))[0],
  },
  {
    method: 'saveSnapshot',
    store: (provider: SDS_DesktopPersistenceProvider, bytes: Uint8Array) => provider.saveSnapshot(bytes, 1),
    read: (provider: SDS_DesktopPersistenceProvider) => provider.loadSnapshot(),
  },
  {
    method: 'saveValue',
    store: (provider: SDS_DesktopPersistenceProvider, bytes: Uint8Array) => provider.saveValue('hash', bytes),
    read: (provider: SDS_DesktopPersistenceProvider) => provider.loadValue('hash'),
  },
  {
    method: 'compactStore',
    store: (provider: SDS_DesktopPersistenceProvider, bytes: Uint8Array) => provider.compactStore(bytes, emptyStore),
    read: async (provider: SDS_DesktopPersistenceProvider) => (await provider.loadStore()).Snapshot,
  },
  {
    method: 'saveRecord',
    store: (provider: SDS_DesktopPersistenceProvider, bytes: Uint8Array) => provider.saveRecord('key', bytes),
    read: async (provider: SDS_DesktopPersistenceProvider) => (await provider.loadRecords())[0]?.Data,
  },
];

/** Views of memory of every kind, each with other bytes around it. */
const kinds: { kind: string; make: (length: number) => Uint8Array }[] = [
  { kind: 'a Uint8Array of its own', make: (length) => new Uint8Array(length) },
  { kind: 'a subarray', make: (length) => new Uint8Array(length + 100).subarray(50, 50 + length) },
  { kind: 'a Buffer, pooled where it is small', make: (length) => Buffer.allocUnsafe(length) },
  { kind: 'shared memory', make: (length) => new Uint8Array(new SharedArrayBuffer(length + 8), 8) },
  {
    kind: 'WebAssembly memory',
    make: (length) => new Uint8Array(wasmMemory(32), 64, length),
  },
  {
    kind: 'a resizable buffer',
    make: (length) => new Uint8Array(new ArrayBuffer(length + 16, { maxByteLength: length * 2 }), 16, length),
  },
];

export function describeCallersBytes(engine: Engine): void {
  describe(`bytes stay the caller’s, on ${engine.name}`, () => {
    async function openStore(options = {}): Promise<SDS_DesktopPersistenceProvider> {
      const provider = new SDS_DesktopPersistenceProvider(await engine.freshPlace(), 'store', options);
      onTestFinished(() => provider.close());
      return provider;
    }

    for (const { method, store, read } of ways) {
      for (const { kind, make } of kinds) {
        for (const length of [SMALL, LARGE]) {
          it(`${method}: ${kind}, ${length} bytes, changed right after the call`, async () => {
            const provider = await openStore();
            const bytes = make(length).fill(1);
            const stored = store(provider, bytes);
            bytes.fill(2);
            expect(bytes.byteLength).toBe(length);
            await stored;
            expect(bytes.every((byte) => byte === 2)).toBe(true);
            const found = await read(provider);
            expect(found?.byteLength).toBe(length);
            expect(found?.every((byte) => byte === 1)).toBe(true);
          });
        }
      }
    }

    it('a small patch does not touch its neighbours in the Buffer pool', async () => {
      const provider = await openStore();
      const neighbours = Array.from({ length: 20 }, (_, i) => Buffer.from(`neighbour ${i}`));
      await Promise.all(neighbours.map((bytes, i) => provider.appendPatch(bytes, i)));
      expect(neighbours.map(String)).toEqual(neighbours.map((_, i) => `neighbour ${i}`));
    });

    it('what is loaded belongs to the caller: changing it changes nothing that is stored', async () => {
      const provider = await openStore();
      await provider.appendPatch(new Uint8Array(8).fill(1), 1);
      await provider.appendPatch(new Uint8Array(8).fill(1), 2);
      await provider.saveSnapshot(new Uint8Array(8).fill(1), 2);
      (await provider.loadSnapshot())?.fill(9);
      for (const patch of await provider.loadPatchesSince(0)) patch.fill(9);
      expect((await provider.loadSnapshot())?.[0]).toBe(1);
      expect((await provider.loadPatchesSince(0)).map((patch) => patch[0])).toEqual([1, 1]);
      await provider.saveRecord('key', new Uint8Array(8).fill(1));
      const { Snapshot, Patches } = await provider.loadStore();
      for (const bytes of [Snapshot, ...Patches]) bytes?.fill(9);
      for (const { Data } of await provider.loadRecords()) Data.fill(9);
      (await provider.loadRecord('key'))?.fill(9);
      const found = await provider.loadStore();
      expect([found.Snapshot, ...found.Patches].map((bytes) => bytes?.[0])).toEqual([1, 1, 1]);
      expect((await provider.loadRecord('key'))?.[0]).toBe(1);
    });

    it('records of one load share buffers of a bounded size', async () => {
      const provider = await openStore();
      for (let i = 0; i < 5000; i++) void provider.saveRecord(`key ${i}`, new Uint8Array(1000).fill(i));
      const records = await provider.loadRecords();
      expect(records).toHaveLength(5000);
      const buffers = new Set(records.map(({ Data }) => Data.buffer));
      expect(Math.max(...[...buffers].map(({ byteLength }) => byteLength))).toBeLessThanOrEqual(2 * 1024 * 1024);
      expect(buffers.size).toBeLessThan(100);
    });

    it('patches of one load share buffers of a bounded size', async () => {
      const provider = await openStore();
      for (let clock = 1; clock <= 20_000; clock++) void provider.appendPatch(new Uint8Array(500).fill(clock), clock);
      const patches = await provider.loadPatchesSince(0);
      expect(patches).toHaveLength(20_000);
      const largest = Math.max(...patches.map(({ buffer }) => buffer.byteLength));
      expect(largest).toBeLessThanOrEqual(2 * 1024 * 1024);
    });
  });
}

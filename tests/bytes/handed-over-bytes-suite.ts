/** `transfer` hands over one argument; what can't be handed over is copied and stays intact. */
import { SDS_DesktopPersistenceProvider, transfer } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { wasmMemory } from '../support/wasm.ts';

const all = (bytes: Uint8Array | undefined, byte: number, length: number) =>
  bytes?.byteLength === length && bytes.every((each) => each === byte);

export function describeHandedOverBytes(engine: Engine): void {
  describe(`bytes that are handed over, on ${engine.name}`, () => {
    async function openStore(options = {}): Promise<SDS_DesktopPersistenceProvider> {
      const provider = new SDS_DesktopPersistenceProvider(await engine.freshPlace(), 'store', options);
      onTestFinished(() => provider.close());
      return provider;
    }

    for (const length of [20, 5000, 2_000_000]) {
      it(`are gone at the call and stored, ${length} bytes, through every method`, async () => {
        const provider = await openStore();
        const made: Uint8Array<ArrayBuffer>[] = [];
        /** Bytes of one kind, handed over. */
        const given = (byte: number) => {
          const bytes = new Uint8Array(length).fill(byte);
          made.push(bytes);
          return transfer(bytes, [bytes.buffer]);
        };
        const another = await openStore();
        const empty = await another.loadStore();
        const stored = [
          provider.appendPatch(given(1), 1),
          provider.saveSnapshot(given(2), 1),
          provider.saveValue('hash', given(3)),
          provider.saveRecord('key', given(4)),
          another.compactStore(given(5), empty),
        ];
        expect(made.map(({ byteLength }) => byteLength)).toEqual([0, 0, 0, 0, 0]);
        expect(made.every(({ buffer }) => buffer.detached)).toBe(true);
        await Promise.all(stored);
        expect(all(await provider.loadRecord('key'), 4, length)).toBe(true);
        expect(all(await another.loadSnapshot(), 5, length)).toBe(true);
        expect(all((await provider.loadPatchesSince(0))[0], 1, length)).toBe(true);
        expect(all(await provider.loadSnapshot(), 2, length)).toBe(true);
        expect(all(await provider.loadValue('hash'), 3, length)).toBe(true);
      });
    }

    it('of a subarray the view is stored and the whole buffer is gone', async () => {
      const provider = await openStore();
      const whole = new Uint8Array(100_000).fill(1).fill(2, 40_000, 60_000);
      const part = whole.subarray(40_000, 60_000);
      await provider.appendPatch(transfer(part, [part.buffer]), 1);
      expect(whole.byteLength).toBe(0);
      expect(all((await provider.loadPatchesSince(0))[0], 2, 20_000)).toBe(true);
    });

    it('what can’t be handed over is copied and stays intact', async () => {
      const provider = await openStore();
      const pooled = Buffer.from('pooled');
      const neighbour = Buffer.from('neighbour');
      const shared = new Uint8Array(new SharedArrayBuffer(10_000)).fill(3);
      const wasm = new Uint8Array(wasmMemory(1), 0, 10_000).fill(4);
      await Promise.all([
        provider.appendPatch(transfer(pooled, [pooled.buffer]), 1),
        provider.appendPatch(transfer(shared, [shared.buffer]), 2),
        provider.appendPatch(transfer(wasm, [wasm.buffer]), 3),
      ]);
      expect([String(pooled), String(neighbour)]).toEqual(['pooled', 'neighbour']);
      expect(all(shared, 3, 10_000) && all(wasm, 4, 10_000)).toBe(true);
      const patches = await provider.loadPatchesSince(0);
      expect(String(Buffer.from(patches[0] ?? []))).toBe('pooled');
      expect(all(patches[1], 3, 10_000) && all(patches[2], 4, 10_000)).toBe(true);
    });

    it('a mark holds for one call, and only with the argument’s own buffer in the list', async () => {
      const provider = await openStore();
      const bytes = new Uint8Array(10_000).fill(1);
      await provider.appendPatch(transfer(bytes, []), 1);
      expect(bytes.byteLength).toBe(10_000);
      await provider.appendPatch(transfer(bytes, [new ArrayBuffer(8)]), 2);
      expect(bytes.byteLength).toBe(10_000);
      await provider.appendPatch(bytes, 3);
      expect(bytes.byteLength).toBe(10_000);
    });

    it('without a list its whole buffer is meant, of a subarray as well', async () => {
      const provider = await openStore();
      const whole = new Uint8Array(1_000_000).fill(1);
      const part = whole.subarray(10, 500_000);
      await provider.appendPatch(transfer(part), 1);
      expect([whole.byteLength, part.byteLength]).toEqual([0, 0]);
      const [patch] = await provider.loadPatchesSince(0);
      expect(all(patch, 1, 499_990)).toBe(true);
    });

    it('a call that is refused does not take the bytes', async () => {
      const provider = await openStore();
      const bytes = new Uint8Array(10_000).fill(1);
      await expect(provider.appendPatch(transfer(bytes, [bytes.buffer]), 0.5)).rejects.toMatchObject({
        code: 'invalid-argument',
      });
      expect(bytes.byteLength).toBe(10_000);
    });

    it('a call that is refused uses the mark up all the same', async () => {
      const provider = await openStore();
      const bytes = new Uint8Array(10_000).fill(1);
      const refused = [
        () => provider.appendPatch(transfer(bytes), 0.5),
        () => provider.saveSnapshot(transfer(bytes), 0.5),
        () => provider.saveValue(0 as never, transfer(bytes)),
        () => provider.saveRecord(0 as never, transfer(bytes)),
        () => provider.compactStore(transfer(bytes), undefined as never),
      ];
      for (const call of refused) {
        await expect(call()).rejects.toMatchObject({ code: 'invalid-argument' });
        await provider.saveValue('hash', bytes);
        expect(bytes.byteLength).toBe(10_000);
      }
      await provider.close();
      await expect(provider.appendPatch(transfer(bytes), 1)).rejects.toMatchObject({ code: 'closed' });
      await expect(provider.saveValue('hash', transfer(bytes))).rejects.toMatchObject({ code: 'closed' });
      const next = await openStore();
      await next.saveValue('hash', bytes);
      expect(bytes.byteLength).toBe(10_000);
    });

    it('bytes that were handed over once can’t be passed again', async () => {
      const provider = await openStore();
      const bytes = new Uint8Array(10_000).fill(1);
      await provider.appendPatch(transfer(bytes, [bytes.buffer]), 1);
      await expect(provider.appendPatch(bytes, 2)).rejects.toMatchObject({ code: 'invalid-argument' });
      expect(await provider.loadPatchesSince(0)).toHaveLength(1);
    });

    it('TransferSnapshots takes over snapshots, and nothing else', async () => {
      const provider = await openStore({ TransferSnapshots: true });
      const snapshot = new Uint8Array(1_000_000).fill(1);
      const patch = new Uint8Array(1_000_000).fill(2);
      const stored = [provider.saveSnapshot(snapshot, 1), provider.appendPatch(patch, 1)];
      expect(snapshot.byteLength).toBe(0);
      expect(patch.byteLength).toBe(1_000_000);
      await Promise.all(stored);
      expect(all(await provider.loadSnapshot(), 1, 1_000_000)).toBe(true);
    });
  });
}

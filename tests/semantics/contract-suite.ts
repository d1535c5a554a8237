/** The contract, as one suite that any implementation runs: give it a way to open a store. */
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IN_PARCEL, NOT_IMPORTED } from '../../src/protocol/entries.ts';
import { freshFile, patchOf } from '../support/files.ts';

export type OpenStore = (dbPath: string, storeId: string) => SDS_PersistenceProvider;

export function describeContract(
  name: string,
  open: OpenStore,
  freshPlace: () => string | Promise<string> = freshFile,
): void {
  describe(`the contract, kept by ${name}`, () => {
    let dbPath: string;
    const opened: SDS_PersistenceProvider[] = [];
    const store = (storeId = 'store'): SDS_PersistenceProvider => {
      const provider = open(dbPath, storeId);
      opened.push(provider);
      return provider;
    };

    beforeEach(async () => {
      dbPath = await freshPlace();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((provider) => provider.close()));
    });

    it('has nothing at first', async () => {
      const provider = store();
      expect(await provider.loadSnapshot()).toBeUndefined();
      expect(await provider.loadPatchesSince(0)).toEqual([]);
      expect(await provider.loadValue('no such hash')).toBeUndefined();
    });

    it('keeps the last snapshot only', async () => {
      const provider = store();
      await provider.saveSnapshot(patchOf('first'), 3);
      await provider.saveSnapshot(patchOf('second'));
      expect(text(await provider.loadSnapshot())).toBe('patch second');
    });

    it('tells an empty snapshot, patch or value from none', async () => {
      const provider = store();
      await provider.saveSnapshot(new Uint8Array(0), 1);
      await provider.appendPatch(new Uint8Array(0), 1);
      await provider.saveValue('empty', new Uint8Array(0));
      expect(await provider.loadSnapshot()).toEqual(new Uint8Array(0));
      expect(await provider.loadPatchesSince(0)).toEqual([new Uint8Array(0)]);
      expect(await provider.loadValue('empty')).toEqual(new Uint8Array(0));
    });

    it('returns the patches above a number, in ascending order, whatever order they came in', async () => {
      const provider = store();
      for (const clock of [5, 1, 4, 2, 3]) await provider.appendPatch(patchOf(clock), clock);
      expect((await provider.loadPatchesSince(2)).map(text)).toEqual(['patch 3', 'patch 4', 'patch 5']);
      expect(await provider.loadPatchesSince(5)).toEqual([]);
    });

    it('ignores a patch whose number is taken: the first one wins', async () => {
      const provider = store();
      await provider.appendPatch(patchOf('first'), 1);
      await provider.appendPatch(patchOf('second'), 1);
      expect((await provider.loadPatchesSince(0)).map(text)).toEqual(['patch first']);
    });

    it('prunes the patches below a number and keeps that number itself', async () => {
      const provider = store();
      for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(patchOf(clock), clock);
      await provider.prunePatches(4);
      expect((await provider.loadPatchesSince(0)).map(text)).toEqual(['patch 4', 'patch 5']);
    });

    it('takes any safe integer for a number', async () => {
      const provider = store();
      const numbers = [Number.MIN_SAFE_INTEGER, -1, 0, 1, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
      for (const clock of numbers) await provider.appendPatch(patchOf(clock), clock);
      expect((await provider.loadPatchesSince(Number.MIN_SAFE_INTEGER)).map(text)).toEqual(
        numbers.slice(1).map((clock) => `patch ${clock}`),
      );
      await provider.prunePatches(2 ** 32 + 1);
      expect(await provider.loadPatchesSince(Number.MIN_SAFE_INTEGER)).toHaveLength(2);
    });

    it('counts the references to a value and deletes it at 0', async () => {
      const provider = store();
      await provider.saveValue('hash', patchOf('value'));
      await provider.saveValue('hash', patchOf('value'));
      await provider.releaseValue('hash');
      expect(text(await provider.loadValue('hash'))).toBe('patch value');
      await provider.releaseValue('hash');
      expect(await provider.loadValue('hash')).toBeUndefined();
      await provider.releaseValue('hash');
      await provider.saveValue('hash', patchOf('again'));
      expect(text(await provider.loadValue('hash'))).toBe('patch again');
    });

    it('keeps the first bytes of a value that is saved again', async () => {
      const provider = store();
      await provider.saveValue('hash', patchOf('first'));
      await provider.saveValue('hash', patchOf('other bytes'));
      expect(text(await provider.loadValue('hash'))).toBe('patch first');
    });

    it('takes any string for a hash and for a store', async () => {
      const strings = ['', 'a', 'ä€𝄞', 'with\0nul', "'; DROP TABLE patches; --", 'x'.repeat(5000), '\ud800 lone'];
      strings.push(IN_PARCEL, NOT_IMPORTED); // what the library itself has in the place of a key
      for (const name of strings) {
        const provider = store(name);
        await provider.saveValue(name, patchOf(`value ${strings.indexOf(name)}`));
        await provider.appendPatch(patchOf(strings.indexOf(name)), 1);
      }
      for (const name of strings) {
        const provider = store(name);
        expect(text(await provider.loadValue(name))).toBe(`patch value ${strings.indexOf(name)}`);
        expect((await provider.loadPatchesSince(0)).map(text)).toEqual([`patch ${strings.indexOf(name)}`]);
      }
    });

    it('keeps the stores of a file apart, and shares their values', async () => {
      const a = store('a');
      const b = store('b');
      await a.appendPatch(patchOf('a'), 1);
      await b.appendPatch(patchOf('b'), 1);
      await a.saveSnapshot(patchOf('snapshot of a'), 1);
      await a.saveValue('shared', patchOf('shared'));
      await b.prunePatches(10);
      expect((await a.loadPatchesSince(0)).map(text)).toEqual(['patch a']);
      expect(await b.loadPatchesSince(0)).toEqual([]);
      expect(await b.loadSnapshot()).toBeUndefined();
      expect(text(await b.loadValue('shared'))).toBe('patch shared');
    });

    it('carries out calls in their order, also if none is awaited', async () => {
      const provider = store();
      const calls = [
        provider.appendPatch(patchOf(1), 1),
        provider.appendPatch(patchOf(2), 2),
        provider.prunePatches(2),
        provider.appendPatch(patchOf('1 again'), 1),
        provider.saveSnapshot(patchOf('snapshot'), 2),
      ];
      const patches = provider.loadPatchesSince(0);
      const later = provider.appendPatch(patchOf(3), 3);
      const snapshot = provider.loadSnapshot();
      expect((await patches).map(text)).toEqual(['patch 1 again', 'patch 2']);
      expect(text(await snapshot)).toBe('patch snapshot');
      await Promise.all([...calls, later]);
      expect(await provider.loadPatchesSince(0)).toHaveLength(3);
    });

    it('stores bytes of every size as they are', async () => {
      const provider = store();
      const sizes = [1, 2, 7, 8, 9, 199, 4000, 4096, 65_536, 131_072, 131_073, 1_000_000, 3_000_001];
      for (const [index, size] of sizes.entries()) {
        void provider.appendPatch(bytesOf(size, index), index + 1);
        void provider.saveValue(`${size}`, bytesOf(size, index));
      }
      const patches = await provider.loadPatchesSince(0);
      for (const [index, size] of sizes.entries()) {
        expect(Buffer.compare(patches[index] ?? Buffer.alloc(0), bytesOf(size, index)), `patch of ${size} bytes`).toBe(
          0,
        );
        const value = await provider.loadValue(`${size}`);
        expect(Buffer.compare(value ?? Buffer.alloc(0), bytesOf(size, index)), `value of ${size} bytes`).toBe(0);
      }
      await provider.saveSnapshot(bytesOf(20_000_000, 5), 1);
      expect(Buffer.compare((await provider.loadSnapshot()) ?? Buffer.alloc(0), bytesOf(20_000_000, 5))).toBe(0);
    });

    it('finds everything again after it was closed and opened', async () => {
      const first = store();
      for (let clock = 1; clock <= 1000; clock++) void first.appendPatch(patchOf(clock), clock);
      await first.saveSnapshot(patchOf('snapshot'), 1000);
      await first.saveValue('hash', patchOf('value'));
      await first.close();
      const second = store();
      expect((await second.loadPatchesSince(998)).map(text)).toEqual(['patch 999', 'patch 1000']);
      expect(text(await second.loadSnapshot())).toBe('patch snapshot');
      expect(text(await second.loadValue('hash'))).toBe('patch value');
    });

    it('may be closed twice', async () => {
      const provider = store();
      await provider.close();
      await provider.close();
    });
  });
}

export function text(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'nothing' : new TextDecoder().decode(bytes);
}

function bytesOf(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + seed * 7 + (i >> 8)) & 0xff;
  return bytes;
}

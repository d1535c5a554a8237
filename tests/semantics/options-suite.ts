/** What the options of a provider ask of its engine, as one suite that every engine runs. */
import { createHash } from 'node:crypto';
import type { SDS_DesktopPersistenceProvider, SDS_ProviderOptions } from 'sds-persistence-worker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';
import { text } from './contract-suite.ts';

/** @param options - in the place of those that it would be opened with */
export type OpenWithOptions = (
  dbPath: string,
  storeId: string,
  options?: SDS_ProviderOptions,
) => SDS_DesktopPersistenceProvider;

export function describeOptions(
  name: string,
  open: OpenWithOptions,
  freshPlace: () => string | Promise<string> = freshFile,
): void {
  describe(`what options ask, done by ${name}`, () => {
    let dbPath: string;
    const opened: SDS_DesktopPersistenceProvider[] = [];
    const store = (options: SDS_ProviderOptions): SDS_DesktopPersistenceProvider => {
      const provider = open(dbPath, 'store', options);
      opened.push(provider);
      return provider;
    };
    const patchesOf = async (provider: SDS_DesktopPersistenceProvider, since = 0) =>
      (await provider.loadPatchesSince(since)).map(text);
    const codeOf = (call: Promise<unknown>) =>
      call.then(
        () => 'no error',
        ({ code }: { code: string }) => code,
      );

    beforeEach(async () => {
      dbPath = await freshPlace();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((provider) => provider.close()));
    });

    it('patches of two providers that meet under one number are both there, one that is repeated once', async () => {
      const [one, two] = [
        store({ OnClockCollision: 'keep-concurrent' }),
        store({ OnClockCollision: 'keep-concurrent' }),
      ];
      await Promise.all([one.ready(), two.ready()]);
      await one.appendPatch(patchOf('one'), 1);
      await two.appendPatch(patchOf('two'), 1);
      await one.appendPatch(patchOf('one, later'), 1);
      await two.appendPatch(patchOf('two'), 1);
      expect(await patchesOf(one)).toEqual(['patch one', 'patch two', 'patch one, later']);
      expect([one.ClockCollisions, two.ClockCollisions]).toEqual([0, 0]);
    });

    it("with 'keep', a patch is stored under the next free number, in one transaction with others, too", async () => {
      const provider = store({ OnClockCollision: 'keep' });
      const calls = [1, 2, 4].map((clock) => provider.appendPatch(patchOf(clock), clock));
      calls.push(provider.appendPatch(patchOf('again'), 1), provider.appendPatch(patchOf('again'), 1));
      await Promise.all(calls);
      expect(await patchesOf(provider)).toEqual(['patch 1', 'patch 2', 'patch again', 'patch 4']);
      expect(await patchesOf(provider, 2)).toEqual(['patch again', 'patch 4']);
      expect(await patchesOf(provider, 3)).toEqual(['patch 4']);
      expect(provider.ClockCollisions).toBe(0);
    });

    it("with 'keep', a patch is refused if no number above its own is free, and what was called with it is stored", async () => {
      const provider = store({ OnClockCollision: 'keep' });
      const last = Number.MAX_SAFE_INTEGER;
      await provider.appendPatch(patchOf('last'), last);
      const value = provider.saveValue('hash', patchOf('value'));
      expect(await codeOf(provider.appendPatch(patchOf('other'), last))).toBe('invalid-argument');
      await value;
      expect(text(await provider.loadValue('hash'))).toBe('patch value');
      expect(await patchesOf(provider)).toEqual(['patch last']);
    });

    it('a compaction that only a refused patch was in the way of is carried out, and says so', async () => {
      const [one, two] = [store({ OnClockCollision: 'keep' }), store({ OnClockCollision: 'keep' })];
      const last = Number.MAX_SAFE_INTEGER;
      await Promise.all([one.appendPatch(patchOf('last'), last), two.ready()]);
      const seen = await two.loadStore();
      const inTheWay = codeOf(one.appendPatch(patchOf('new'), 1));
      const compacted = two.compactStore(patchOf('whole'), seen);
      expect(await codeOf(one.appendPatch(patchOf('other'), last))).toBe('invalid-argument');
      // patches of one provider that are gathered share their fate; alone, the first one is stored
      const wasRefused = (await inTheWay) === 'invalid-argument';
      expect(await compacted).toBe(wasRefused);
      expect(text(await one.loadSnapshot())).toBe(wasRefused ? 'patch whole' : 'nothing');
      expect(await patchesOf(one)).toEqual(wasRefused ? [] : ['patch new', 'patch last']);
    });

    it("with 'ignore', the first one wins, and the loss of another one is counted", async () => {
      const provider = store({ OnClockCollision: 'ignore' });
      for (const patch of ['first', 'first', 'second']) await provider.appendPatch(patchOf(patch), 1);
      expect(await patchesOf(provider)).toEqual(['patch first']);
      expect(provider.ClockCollisions).toBe(1);
    });

    it('values are verified where that is asked for: before they are stored, and when they are loaded', async () => {
      const hashOf = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
      const [trusting, verifying] = [store({ VerifyValues: false }), store({ VerifyValues: true })];
      for (const length of [100, 200_000]) {
        const [good, bad] = [new Uint8Array(length).fill(1), new Uint8Array(length).fill(2)];
        const calls = [good, bad].map((data) => codeOf(verifying.saveValue(hashOf(good), data)));
        expect(await Promise.all(calls)).toEqual(['no error', 'invalid-argument']);
        expect(await verifying.loadValue(hashOf(good))).toEqual(good);
        await trusting.saveValue(hashOf(bad), good);
        expect(await codeOf(verifying.loadValue(hashOf(bad)))).toBe('database-corrupt');
        expect(await trusting.loadValue(hashOf(bad))).toEqual(good);
      }
    });
  });
}

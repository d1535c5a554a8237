/** Calls that were gathered in one batch with a bad one are carried out all the same. */
import { createHash } from 'node:crypto';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';

describe('a bad call fails alone', () => {
  it('a value that does not match its hash, among patches, values and reads of one tick', async () => {
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
    const good = patchOf('a value');
    const hash = createHash('sha256').update(good).digest('hex');
    const before = provider.appendPatch(patchOf(1), 1);
    const bad = provider.saveValue(hash, patchOf('another value'));
    const after = provider.appendPatch(patchOf(2), 2);
    const saved = provider.saveValue(hash, good);
    const loaded = provider.loadValue(hash);
    const patches = provider.loadPatchesSince(0);
    await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
    await Promise.all([before, after, saved]);
    expect(await loaded).toEqual(good);
    expect(await patches).toHaveLength(2);
    await expect(provider.flush()).resolves.toBeUndefined();
    await provider.close();
    expect(rowsOf(file).blobs).toMatchObject([{ hash, ref_count: 1 }]);
  });

  it("a patch that 'keep' has no free number for", async () => {
    const last = Number.MAX_SAFE_INTEGER;
    const file = freshFile();
    const provider = new SDS_DesktopPersistenceProvider(file, 'store', { OnClockCollision: 'keep' });
    await provider.appendPatch(patchOf('the last number'), last);
    const before = provider.appendPatch(patchOf(1), 1);
    const loaded = provider.loadPatchesSince(0);
    await Promise.all([before, loaded]);
    const bad = provider.appendPatch(patchOf('the last number, too'), last);
    await expect(bad).rejects.toMatchObject({ code: 'invalid-argument' });
    await provider.appendPatch(patchOf(2), 2);
    await provider.close();
    expect(rowsOf(file).patches).toHaveLength(3);
  });

  it('flush and flushSync tell of a call that was pending and failed', async () => {
    const provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    await provider.ready();
    const failed = provider.saveValue('0'.repeat(64), patchOf(1));
    const flushed = provider.flush();
    await expect(failed).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(flushed).rejects.toMatchObject({ code: 'invalid-argument' });
    const again = provider.saveValue('0'.repeat(64), patchOf(1));
    again.catch(() => 'checked below');
    expect(provider.flushSync()).toBe(false);
    await expect(again).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(provider.flushSync()).toBe(true);
    await provider.close();
  });

  it('a value whose name is no SHA-256 is not verified', async () => {
    await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { VerifyValues: true });
    for (const name of ['fnv1a-811c9dc5', 'abc', 'g'.repeat(64)]) {
      await provider.saveValue(name, patchOf(name));
      expect(await provider.loadValue(name)).toEqual(patchOf(name));
    }
  });

  it('a value of which the stored bytes were changed is not believed', async () => {
    const file = freshFile();
    const value = patchOf('value');
    const hash = createHash('sha256').update(value).digest('hex');
    const unsuspecting = new SDS_DesktopPersistenceProvider(file, 'store');
    await unsuspecting.saveValue(hash, patchOf('changed'));
    const verifying = new SDS_DesktopPersistenceProvider(file, 'store', { VerifyValues: true });
    await expect(verifying.loadValue(hash)).rejects.toMatchObject({ code: 'database-corrupt' });
    expect(await unsuspecting.loadValue(hash)).toEqual(patchOf('changed'));
    await Promise.all([unsuspecting.close(), verifying.close()]);
  });
});

/** A file with a huge write does not hold up every other file. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { freshFile, patchOf } from '../support/files.ts';

describe('a huge write', () => {
  it('is overtaken by a small one on another file, called later', async () => {
    const options = { Acknowledge: 'committed' } as const;
    const [large, small] = [1, 2].map(() => new SDS_DesktopPersistenceProvider(freshFile(), 'store', options)) as [
      SDS_DesktopPersistenceProvider,
      SDS_DesktopPersistenceProvider,
    ];
    await Promise.all([large.ready(), small.ready()]);
    const order: string[] = [];
    const huge = large.saveSnapshot(new Uint8Array(150_000_000), 1).then(() => order.push('huge'));
    const quick = small.appendPatch(patchOf(1), 1).then(() => order.push('quick'));
    await Promise.all([huge, quick]);
    expect(order).toEqual(['quick', 'huge']);
    await Promise.all([large.close(), small.close()]);
  });
});

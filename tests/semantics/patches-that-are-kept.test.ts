/** Numbers that meet, with `OnClockCollision: 'keep'`, in SQLite files. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile, patchOf, sqlite } from '../support/files.ts';
import { describeKeptPatches } from './patches-that-are-kept-suite.ts';

describeKeptPatches(
  'an SQLite file',
  (path) => new SDS_DesktopPersistenceProvider(path, 'store', { OnClockCollision: 'keep' }),
  freshFile,
  sqlite.rowsOf,
);

// with each of them compared with all that were kept before it, it takes longer than a test may
it('an SQLite file keeps 40,000 patches of one turn and one number', async () => {
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store', { OnClockCollision: 'keep' });
  const patches = Array.from({ length: 40_000 }, (_, index) => patchOf(index));
  await Promise.all([...patches, ...patches].map((patch) => provider.appendPatch(patch, 1)));
  expect(await provider.loadPatchesSince(0)).toEqual(patches);
});

/** A burst: many patches of one size in one go, none awaited before the last call. */
import { measure, patchesOf } from '../measure.ts';
import { appendAll } from './append.ts';
import type { Work } from './work.ts';

export const burst: Work = async ({ driver, folder, sizes }) => {
  const { bytes = 200, count = 1000, warm = 0 } = sizes;
  const patches = patchesOf(bytes, count);
  const database = await driver.open(folder);
  const store = database.store('store');
  const storeOf = () => store;
  // the way of a patch is compiled, and files and threads are there, before anything is measured
  await appendAll(database, storeOf, patches, (i) => i + 1, warm);
  const { mainUs, wallUs } = await measure(() => appendAll(database, storeOf, patches, (i) => warm + i + 1, count));
  const stored = (await store.loadPatchesSince(0)).length;
  const keeps = driver.committed.startsWith('nothing') ? 0 : warm + count;
  if (stored !== keeps) throw new Error(`${stored} patches are stored, not ${keeps}`);
  const closing = await measure(() => database.close());
  return { mainUs: mainUs / count, perSecond: (count / wallUs) * 1e6, closeMs: closing.wallUs / 1000 };
};

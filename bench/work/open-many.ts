/** Many stores of one database are opened together, as by a server that starts: until all can be used, and nothing is loaded. */
import { measure } from '../measure.ts';
import type { Work } from './work.ts';

export const openMany: Work = async ({ driver, folder, sizes }) => {
  const { stores: count = 10 } = sizes;
  const database = await driver.open(folder);
  const opening = await measure(() =>
    Promise.all(Array.from({ length: count }, (_, i) => database.store(`store ${i}`).ready?.())),
  );
  await database.close();
  return { openMs: opening.wallUs / 1000 };
};

/** In Mocha, whose functions are globals. */
import { finish } from '../finished.ts';

export { expect } from '../expect.ts';
export { onTestFinished } from '../finished.ts';

type Define = (name: string, callback: () => unknown) => void;
type Hook = (callback: () => unknown) => void;
const globals = globalThis as unknown as {
  after: Hook;
  afterEach: Hook;
  beforeEach: Hook;
  describe: Define;
  it: Define;
};

globals.after(finish);
export const { afterEach, beforeEach, describe, it } = globals;

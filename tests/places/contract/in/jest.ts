/** In Jest, whose functions are globals; its `expect` takes a minute for bytes by the million. */
import { finish } from '../finished.ts';

export { expect } from '../expect.ts';
export { onTestFinished } from '../finished.ts';

type Define = (name: string, callback: () => unknown) => void;
type Hook = (callback: () => unknown) => void;
const globals = globalThis as unknown as {
  afterAll: Hook;
  afterEach: Hook;
  beforeEach: Hook;
  describe: Define;
  it: Define;
};

globals.afterAll(finish);
export const { afterEach, beforeEach, describe, it } = globals;

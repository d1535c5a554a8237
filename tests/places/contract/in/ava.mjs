/** In AVA, which has no `describe`. */
import test from 'ava';
import { finish } from '../finished.ts';
import { scopes } from '../scopes.ts';

export { expect } from '../expect.ts';
export { onTestFinished } from '../finished.ts';

test.after.always(finish);

export const { afterEach, beforeEach, describe, it } = scopes((name, run) =>
  test.serial(name, async (assertions) => {
    await run();
    assertions.pass(); // it wants one of its own
  }),
);

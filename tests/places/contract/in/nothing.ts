/** Where there is no framework: runs the tests and prints what came of them. */
import { setImmediate } from 'node:timers';
import { finish } from '../finished.ts';
import { type Declare, scopes } from '../scopes.ts';

export { expect } from '../expect.ts';
export { onTestFinished } from '../finished.ts';

const tests: Parameters<Declare>[] = [];
export const { afterEach, beforeEach, describe, it } = scopes((...test) => tests.push(test));

async function runAll(): Promise<void> {
  const failed: string[] = [];
  for (const [name, run] of tests) {
    try {
      await run();
    } catch (error) {
      failed.push(`${name}: ${(error as Error).stack}`);
    }
  }
  finish();
  console.log(JSON.stringify({ tests: tests.length, failed }));
}
// once all are declared
setImmediate(() => void runAll());

/** Beside traffic an operation sleeps between its pieces as long as they took; without, it does not. */
import { expect, it } from 'vitest';
import { Throttle } from '../../src/worker/operations/throttle.ts';

function work(): void {
  for (const start = performance.now(); performance.now() - start < 5; );
}

it('for as long as a piece took, while the other thread goes on committing', () => {
  const traffic = new Int32Array(new SharedArrayBuffer(4));
  const throttle = new Throttle(traffic.buffer as SharedArrayBuffer);
  work();
  expect(throttle.pause()).toBe(0);
  Atomics.add(traffic, 0, 1);
  work();
  expect(throttle.pause()).toBeGreaterThanOrEqual(5);
});

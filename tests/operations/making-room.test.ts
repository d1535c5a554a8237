/** Beside traffic an operation sleeps between its pieces; without, it does not. */

import { expect, it } from 'vitest';
import { MakingRoom } from '../../src/worker/maintenance/making-room.ts';

/** How much of its time a thread works that does nothing but pieces of work of a few milliseconds. */
function shareOfWork(afterPiece: (traffic: Int32Array) => void): number {
  const traffic = new Int32Array(new SharedArrayBuffer(4));
  const room = new MakingRoom(traffic.buffer as SharedArrayBuffer);
  let worked = 0;
  const begun = performance.now();
  for (let piece = 0; piece < 10; piece++) {
    const start = performance.now();
    while (performance.now() - start < 5);
    worked += performance.now() - start;
    afterPiece(traffic);
    room.pause();
  }
  return worked / (performance.now() - begun);
}

it('half of the time beside traffic, all of it without', () => {
  const without = shareOfWork(() => {});
  const beside = shareOfWork((traffic) => void Atomics.add(traffic, 0, 1));
  expect(beside).toBeLessThan(0.7);
  expect(without).toBeGreaterThan(beside);
});

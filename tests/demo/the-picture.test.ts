/** The picture of the event loop's delay, of delays that no machine makes to order. */
import { expect, test } from 'vitest';
import { drawPicture } from '../../demo/picture.ts';

const late = (delay: number) => ({
  beats: [
    { at: 0, delay: 1 },
    { at: 500, delay },
  ],
  delay: { p50: 1, p99: delay, max: delay },
  durationMs: 1000,
});

test.each([
  { most: 3, top: '20' },
  { most: 170, top: '200' },
  { most: 2_500, top: '5,000' },
  { most: 40_000, top: '50,000' },
])('both strips reach from 0 to $top ms when the loop was late by $most ms at most', ({ most, top }) => {
  const picture = drawPicture('a session', { worker: late(2), reference: late(most) });
  const labels = [...picture.matchAll(/text-anchor="end"[^>]*>([\d.,]+)</g)].map(([, label]) => label);
  const [above, below] = [labels.slice(0, labels.length / 2), labels.slice(labels.length / 2)];
  expect(above).toEqual(below);
  expect([above.at(0), above.at(-1)]).toEqual(['0', top]);
});

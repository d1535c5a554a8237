/** The heartbeat counts every millisecond in which the event loop was held up, not one delay for all of it. */
import { expect, test } from 'vitest';
import { beatIdle, Heartbeat, summarize } from '../../demo/heartbeat.ts';

test('each beat that was due while the loop was held up is counted with its own delay', () => {
  const heartbeat = new Heartbeat();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
  const delays = heartbeat.stop().map(({ delay }) => delay);
  // Atomics.wait never returns early, so these are the least there can be
  expect(delays.length).toBeGreaterThanOrEqual(58);
  expect(delays[0]).toBeGreaterThanOrEqual(58);
  for (const [index, delay] of delays.entries()) {
    expect(delay).toBeCloseTo((delays[0] ?? 0) - index, 5);
  }
});

test('an idle loop beats on, each beat later than the one before', async () => {
  const beats = await beatIdle(30);
  expect(beats.length).toBeGreaterThan(1);
  for (const [index, { at, delay }] of beats.entries()) {
    expect(delay).toBeGreaterThanOrEqual(0);
    if (index > 0) expect(at).toBeGreaterThan(beats[index - 1]?.at ?? 0);
  }
});

test('percentiles', () => {
  const beats = Array.from({ length: 200 }, (_, index) => ({ at: index, delay: 200 - index }));
  expect(summarize(beats)).toEqual({ p50: 101, p99: 199, max: 200 });
  expect(summarize([])).toEqual({ p50: 0, p99: 0, max: 0 });
});

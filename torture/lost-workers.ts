/**
 * Terminates worker threads at random moments under mixed calls. Each call's outcome is compared with
 * the model: only what was handed over may be lost, and then it must be known not to be stored.
 */
import type { Worker } from 'node:worker_threads';
import type { Engine } from '../tests/support/engine.ts';
import { onFiles } from './engines.ts';
import { livingWorkers, noticedWorkers } from './living-workers.ts';
import { type Made, MixedCalls, type Subject } from './mixed-calls.ts';
import { isLoad } from './model.ts';
import { Random } from './random.ts';
import { survivesRepeatedDeath } from './repeated-death.ts';
import { type RigContext, scaled } from './rig.ts';

const ROUNDS_PER_PLACE = 20;
const PATIENCE_MS = 60_000;

export const run = onFiles(async (engine, context) => {
  await runOn(engine, context);
  await survivesRepeatedDeath(context);
});

export async function runOn(engine: Engine, { seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  const wanted = scaled(engine.isFile ? 500 : 200, scale);
  for (let kills = 0; kills < wanted; ) {
    const place = await engine.freshPlace();
    kills += await killOverOnePlace(place, wanted - kills);
    await engine.discard(place);
  }

  async function killOverOnePlace(place: string, wanted: number): Promise<number> {
    const calls = new MixedCalls(engine, place, random, report, {
      options: { MaxPendingBytes: 8 * 1024 * 1024, Overflow: 'block' },
      // on a server, what is lost with its thread may be stored or not
      handsOver: engine.isFile,
    });
    let kills = 0;
    for (let round = 0; round < ROUNDS_PER_PLACE && kills < wanted; round++) {
      const times = random.chance(0.2) ? random.below(2000) : random.below(40) + 1;
      // at most two: a worker that is lost three times without finishing anything is given up, rightly
      const killAt = [random.below(times + 1)];
      if (random.chance(0.2)) killAt.push(random.below(times + 1));
      const pauses = random.chance(0.3);
      // many calls are held by backpressure, which blocks as flushSync does
      const blocks = times > 100 || random.chance(0.5);
      const workers = blocks ? noticedWorkers : livingWorkers;
      for (let i = 0; i <= times; i++) {
        for (const at of killAt) if (at === i) kills += kill(workers);
        if (i < times) calls.make();
        if (pauses && random.chance(0.02)) await new Promise(setImmediate);
        if (blocks && random.chance(0.004)) flushSync(random.pick(calls.subjects), round);
      }
      if (blocks && random.chance(0.6)) {
        flushSync(random.pick(calls.subjects), round);
        if (random.chance(0.5)) kills += kill(workers);
      }
      await calls.judge(`seed ${seed}, round ${round}`, (made, code) => mayBeLost(made, code, blocks));
    }
    await calls.close();
    return kills;
  }

  function mayBeLost({ call, handedOver }: Made, code: string, blocks: boolean): boolean {
    if (code !== 'worker-lost') return false;
    // a thread that blocks gets no answers; what is lost of them can't be asked again, since later calls went on
    if (isLoad(call)) return blocks;
    // shorter bytes are copied even if they are handed over, and then can't be lost
    return handedOver && 'bytes' in call && call.bytes.byteLength >= 4096;
  }

  /** It may say no, since calls of a round may fail; but the replacement of a worker takes no such time. */
  function flushSync({ provider }: Subject, round: number): void {
    const start = performance.now();
    if (provider.flushSync(PATIENCE_MS)) return;
    if (performance.now() - start < PATIENCE_MS) report.count('flushSync said no');
    else report.violation(`seed ${seed}, round ${round}: flushSync got nowhere for ${PATIENCE_MS} ms`);
  }

  function kill(workers: ReadonlySet<Worker>): number {
    if (workers.size === 0) return 0;
    const end = performance.now() + random.next() * 0.3;
    while (performance.now() < end);
    void random.pick([...workers]).terminate();
    report.count('workers terminated');
    return 1;
  }
}

/** Copies into memory of several kinds. */
import { median, randomBytes } from '../measure.ts';
import type { Work } from '../work/work.ts';

const FRESH = 0;
const SHARED = 1;

/** `memory`: 0 a fresh buffer, 1 fresh shared memory, 2 shared memory that was used before. */
export const copyOne: Work = async ({ sizes }) => {
  const { bytes = 1024, samples = 3, memory = FRESH } = sizes;
  const kept = randomBytes(bytes);
  const used = new Uint8Array(new SharedArrayBuffer(bytes)).fill(1);
  const costs: number[] = [];
  let check = 0;
  for (let sample = 0; sample <= samples; sample++) {
    const start = performance.now();
    const into =
      memory === FRESH
        ? new Uint8Array(bytes)
        : memory === SHARED
          ? new Uint8Array(new SharedArrayBuffer(bytes))
          : used;
    into.set(kept);
    costs.push(performance.now() - start);
    check += into.at(-1) ?? 0;
  }
  if (check !== (samples + 1) * (kept.at(-1) ?? 0)) throw new Error('the copies differ');
  return { copyUs: median(costs.slice(1)) * 1000 };
};

/** Clocks, middle values, and bytes to store. */
import { randomFillSync } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

export interface Cost {
  /** Processor time of this thread, in µs. */
  mainUs: number;
  /** The same of all other threads. */
  othersUs: number;
  wallUs: number;
}

/** What some work costs this thread and the others, and how long it takes until it is done. */
export async function measure(work: () => unknown): Promise<Cost> {
  const before = process.threadCpuUsage();
  const allBefore = process.cpuUsage();
  const start = performance.now();
  await work();
  const wallUs = (performance.now() - start) * 1000;
  const { user, system } = process.threadCpuUsage(before);
  const all = process.cpuUsage(allBefore);
  const mainUs = user + system;
  return { mainUs, othersUs: Math.max(all.user + all.system - mainUs, 0), wallUs };
}

/**
 * The same for work of a few milliseconds: Linux brings the processor time of a thread up to date every few
 * milliseconds and when it goes to sleep, so this sleeps before each look.
 */
export function measureShort(work: () => unknown): Promise<Cost> {
  return pause(1).then(() =>
    measure(async () => {
      await work();
      await pause(1);
    }),
  );
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Different patches of one size, to be stored in turn. */
export function patchesOf(size: number, atMost: number): Uint8Array[] {
  return Array.from({ length: Math.min(atMost, 1024) }, () => randomFillSync(new Uint8Array(size)));
}

export function randomBytes(size: number): Uint8Array {
  return randomFillSync(new Uint8Array(size));
}

/**
 * A program that gets patches through a pipe and stores them as a sync engine does it, or only passes them by:
 * what storing costs its main thread is the difference.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Store } from '../drivers/driver.ts';
import { median } from '../measure.ts';
import { PacedSource } from './paced-source.ts';

const PATCH_BYTES = 200;
/** A block's beginning does not count: what the one before it has left over is done by then. */
const GRACE_MS = 60;

interface Times {
  wall: number;
  main: number;
  process: number;
}

/** In µs. */
export function timesNow(): Times {
  const { user, system } = process.threadCpuUsage();
  const all = process.cpuUsage();
  return { wall: performance.now() * 1000, main: user + system, process: all.user + all.system };
}

/** Of a span of time: the main thread's processor time, and that of all others, in µs. */
export function between(from: Times, to: Times) {
  const main = to.main - from.main;
  return { wall: to.wall - from.wall, main, others: to.process - from.process - main };
}

export class Program {
  readonly #source = new PacedSource(PATCH_BYTES);
  readonly #stores: readonly Store[];
  #patches = 0;
  #failure: unknown;

  /** Patches go to the stores in turn. */
  constructor(stores: readonly Store[]) {
    this.#stores = stores;
  }

  readonly #fail = (error: unknown): void => {
    this.#failure ??= error;
  };

  /** What a sync engine does with a patch. */
  append(patch: Uint8Array): unknown {
    const clock = this.nextClock;
    const store = this.#stores[this.#patches++ % this.#stores.length] as Store; // a remainder is within bounds
    const promise = store.appendPatch(patch, clock) as Promise<unknown> | undefined;
    promise?.catch(this.#fail);
    return promise;
  }

  get nextClock(): number {
    return Math.floor(this.#patches / this.#stores.length) + 1;
  }

  async receive(perSecond: number, ms: number, onPatch: (patch: Uint8Array) => void): Promise<void> {
    await this.#source.receive(perSecond, Math.max(Math.round((perSecond * ms) / 1000), 1), onPatch);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves once all is committed. */
  async settle(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.loadPatchesSince(this.nextClock)));
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

export const store = (program: Program) => (patch: Uint8Array) => void program.append(patch);
export const pass = () => {};

/** Processor time of one block, per patch, and of the other threads as a share of a core. */
async function block(program: Program, rate: number, ms: number, onPatch: (patch: Uint8Array) => void) {
  await program.receive(rate, GRACE_MS, onPatch);
  const before = timesNow();
  await program.receive(rate, ms, onPatch);
  const { wall, main, others } = between(before, timesNow());
  return { mainUs: main / Math.max(Math.round((rate * ms) / 1000), 1), othersPercent: (100 * others) / wall };
}

export async function processorTime(program: Program, rate: number, blocks: number, ms: number) {
  const main: number[] = [];
  const others: number[] = [];
  for (let pair = 0; pair < blocks; pair++) {
    // the first of one pair is the second of the next, so that a steady drift cancels
    const orders = pair % 2 === 0 ? [store(program), pass] : [pass, store(program)];
    const [first, second] = [
      await block(program, rate, ms, orders[0] ?? pass),
      await block(program, rate, ms, orders[1] ?? pass),
    ];
    const [storing, passing] = pair % 2 === 0 ? [first, second] : [second, first];
    main.push(storing.mainUs - passing.mainUs);
    others.push(storing.othersPercent - passing.othersPercent);
  }
  return { mainUs: median(main), othersPercent: median(others) };
}

export async function delays(program: Program, rate: number, ms: number) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await program.receive(rate, ms, store(program));
  histogram.disable();
  return { p99: histogram.percentile(99) / 1e6, p999: histogram.percentile(99.9) / 1e6, max: histogram.max / 1e6 };
}

/** A mixed load at a fixed rate: patches into several stores, now and then a large snapshot, now and then a load. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Store } from '../drivers/driver.ts';
import { patchesOf, randomBytes } from '../measure.ts';

const SNAPSHOT_EVERY_MS = 250;
const LOAD_EVERY_MS = 200;

export class MixedLoad {
  readonly #stores: readonly Store[];
  readonly #perSecond: number;
  readonly #snapshotBytes: number;
  readonly #patches = patchesOf(200, 1024);
  // kept to be awaited at the end; nothing more, since the garbage of a bookkeeping would hold up this thread as well
  readonly #latest: unknown[];
  readonly #others: unknown[] = [];
  #snapshots: Uint8Array[] = [];
  #sent = 0;
  #saved = 0;
  #loaded = 0;

  constructor(stores: readonly Store[], perSecond: number, snapshotBytes: number) {
    this.#stores = stores;
    this.#perSecond = perSecond;
    this.#snapshotBytes = snapshotBytes;
    this.#latest = stores.map(() => undefined);
  }

  /** Patches alone. */
  async warmUp(ms: number): Promise<void> {
    await this.#run(ms, true);
    await this.settle();
  }

  /** Makes the snapshots: encoding a document is the program's own work, whoever stores it. */
  prepare(ms: number): void {
    const snapshots = Math.ceil(ms / SNAPSHOT_EVERY_MS);
    this.#snapshots = Array.from({ length: snapshots }, () => randomBytes(this.#snapshotBytes));
    this.#saved = this.#loaded = 0;
  }

  /** All of it, once it is prepared; how late timers of this thread become meanwhile. */
  async delays(ms: number): Promise<ReturnType<typeof monitorEventLoopDelay>> {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    await this.#run(ms, false);
    histogram.disable();
    return histogram;
  }

  async settle(): Promise<void> {
    await Promise.all([...this.#latest, ...this.#others]);
    this.#others.length = 0;
  }

  async #run(lengthMs: number, patchesOnly: boolean): Promise<void> {
    const start = performance.now();
    const count = this.#stores.length;
    const sentBefore = this.#sent;
    for (let now = start; now - start < lengthMs; now = performance.now()) {
      const due = sentBefore + Math.floor(((now - start) * this.#perSecond) / 1000);
      while (this.#sent < due) {
        const patch = this.#patches[this.#sent % this.#patches.length] as Uint8Array;
        const clock = Math.floor(this.#sent / count) + 1;
        this.#latest[this.#sent % count] = this.#stores[this.#sent % count]?.appendPatch(patch, clock);
        this.#sent++;
      }
      if (!patchesOnly && now - start > this.#saved * SNAPSHOT_EVERY_MS) {
        const data = this.#snapshots.shift();
        if (data !== undefined) this.#others.push(this.#stores[this.#saved % count]?.saveSnapshot(data));
        this.#saved++;
      }
      if (!patchesOnly && now - start > this.#loaded * LOAD_EVERY_MS) {
        const store = this.#stores[this.#loaded++ % count];
        this.#others.push(store?.loadPatchesSince(Math.max(Math.floor(this.#sent / count) - 1000, 0)));
      }
      await pause(1);
    }
  }
}

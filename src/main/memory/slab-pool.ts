/** Gives out the arena's slabs and takes them back; most recently used first, so that few pages are touched. */
import {
  type ArenaLayout,
  arenaBytesFor,
  layOutArena,
  NO_SLAB,
  SLAB_HEADER,
  slabClasses,
} from '../../protocol/slabs.ts';

export class SlabPool {
  readonly arena: SharedArrayBuffer;
  readonly layout: ArenaLayout;
  readonly #free: number[][];

  constructor(pendingBytes: number) {
    this.arena = new SharedArrayBuffer(arenaBytesFor(pendingBytes));
    this.layout = layOutArena(this.arena.byteLength);
    this.#free = this.layout.classes.map((indices) => indices.slice().reverse());
  }

  /**
   * A slab that an entry of `need` bytes fits into, or NO_SLAB. A batch grows by about as much as it
   * has, so that it never occupies much more than it uses: many files may have one at a time.
   */
  take(need: number, batchBytes: number): number {
    let least = 0;
    while (sizeOfClass(least) - SLAB_HEADER < need) least++;
    let wanted = least;
    while (sizeOfClass(wanted + 1) <= 2 * batchBytes) wanted++;
    for (let c = wanted; c >= least; c--) {
      const slab = this.#free[c]?.pop();
      if (slab !== undefined) return slab;
    }
    for (let c = wanted + 1; c < slabClasses.length; c++) {
      const slab = this.#free[c]?.pop();
      if (slab !== undefined) return slab;
    }
    return NO_SLAB;
  }

  giveBack(slab: number): void {
    const size = this.sizeOf(slab);
    this.#free[slabClasses.findIndex((slabClass) => slabClass.size === size)]?.push(slab);
  }

  startOf(slab: number): number {
    return this.layout.starts[slab] ?? 0;
  }

  sizeOf(slab: number): number {
    return this.layout.sizes[slab] ?? 0;
  }
}

function sizeOfClass(slabClass: number): number {
  return slabClasses[slabClass]?.size ?? Number.POSITIVE_INFINITY;
}

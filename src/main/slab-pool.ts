/** Gives out the arena's slabs and takes them back; most recently used first, so that few pages are touched. */
import { type ArenaLayout, arenaBytesFor, layOutArena, NO_SLAB, SLAB_HEADER, slabClasses } from '../protocol/slabs.ts';

export class SlabPool {
  readonly arena: SharedArrayBuffer;
  readonly layout: ArenaLayout;
  readonly #free: number[][];

  constructor(pendingBytes: number) {
    this.arena = new SharedArrayBuffer(arenaBytesFor(pendingBytes));
    this.layout = layOutArena(this.arena.byteLength);
    this.#free = this.layout.classes.map((indices) => indices.slice().reverse());
  }

  /** A slab that an entry of `need` bytes fits into, of the wanted class if there is one; or NO_SLAB. */
  take(need: number, wantedClass: number): number {
    const least = slabClasses.findIndex(({ size }) => size - SLAB_HEADER >= need);
    for (let c = Math.max(least, wantedClass); c < slabClasses.length; c++) {
      const slab = this.#free[c]?.pop();
      if (slab !== undefined) return slab;
    }
    for (let c = wantedClass - 1; c >= least; c--) {
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

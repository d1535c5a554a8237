/** Gives out the arena's slabs and takes them back; most recently used first, so that few pages are touched. */
import { Arena } from '../../protocol/arena.ts';
import { arenaBytesFor, NO_SLAB, SLAB_HEADER, slabClasses } from '../../protocol/slabs.ts';

/** The slabs of one size. */
interface SlabClass {
  size: number;
  /** Those that came back, the last one on top. */
  used: number[];
  /** Those from here to `end` were never given out. */
  unused: number;
  end: number;
}

export class SlabPool {
  readonly arena: Arena;
  readonly #classes: SlabClass[];

  constructor(pendingBytes: number) {
    this.arena = new Arena(new SharedArrayBuffer(arenaBytesFor(pendingBytes)));
    this.#classes = classesOf(this.arena.buffer);
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
      const slab = this.#takeOf(c);
      if (slab !== NO_SLAB) return slab;
    }
    for (let c = wanted + 1; c < slabClasses.length; c++) {
      const slab = this.#takeOf(c);
      if (slab !== NO_SLAB) return slab;
    }
    return NO_SLAB;
  }

  #takeOf(slabClass: number): number {
    const slabs = this.#classes[slabClass];
    if (slabs === undefined) return NO_SLAB;
    const used = slabs.used.pop();
    if (used !== undefined) return used;
    if (slabs.unused >= slabs.end) return NO_SLAB;
    const slab = slabs.unused;
    slabs.unused += slabs.size;
    return slab;
  }

  giveBack(slab: number): void {
    this.#classOf(slab)?.used.push(slab);
  }

  sizeOf(slab: number): number {
    return this.#classOf(slab)?.size ?? 0;
  }

  #classOf(slab: number): SlabClass | undefined {
    return this.#classes.find(({ end }) => slab < end);
  }
}

function classesOf({ byteLength }: SharedArrayBuffer): SlabClass[] {
  let end = 0;
  return slabClasses.map(({ size, share }) => {
    const unused = end;
    end += byteLength * share;
    return { size, used: [], unused, end };
  });
}

function sizeOfClass(slabClass: number): number {
  return slabClasses[slabClass]?.size ?? Number.POSITIVE_INFINITY;
}

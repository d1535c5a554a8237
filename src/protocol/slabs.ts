/**
 * The arena: a worker's block of shared memory, cut into slabs of a few sizes, each known by the byte that it starts with. Slabs
 * outlive a lost worker, and come back into use once their batch is finished.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const MIN_ARENA_BYTES = 8 * MiB;
const MAX_ARENA_BYTES = 1024 * MiB;

/** Size and share of the arena of each class, smallest first. The shares add up to 1. */
export const slabClasses = [
  { size: 4 * KiB, share: 2 / 16 },
  { size: 16 * KiB, share: 3 / 16 },
  { size: 64 * KiB, share: 3 / 16 },
  { size: MiB, share: 8 / 16 },
] as const;

/** Longer bytes cross by Comlink instead. */
export const INLINE_LIMIT = 128 * KiB;

/**
 * In front of a slab's entries: bytes used, next slab (or NO_SLAB); and, in the first slab of a batch,
 * the batch's flags, and how many of its promises are dealt with, if it is done one by one. A multiple of eight bytes.
 */
export const SLAB_HEADER = 16;
export const SLAB_USED = 0;
/**
 * Set in `SLAB_USED` once nothing is added any more. A batch of one slab may be sent while calls are still
 * added to it: main adds each by exchanging the bytes used for more, which fails once the worker, as it
 * begins to carry out the batch, has set this. So a batch gathers for as long as the worker dozes.
 */
export const SLAB_SEALED = 1 << 30;
/** What a batch has used of its slab, sealed or not. */
export function usedOf(cell: number): number {
  return cell & ~SLAB_SEALED;
}
export const SLAB_NEXT = 1;
export const SLAB_FLAGS = 2;
export const SLAB_DONE = 3;
export const NO_SLAB = -1;

/** Flags of a batch: some call failed; some call has changed nothing (`ENTRY_NO_EFFECT`); calls are done one by one. */
export const BATCH_FAILED = 1;
export const BATCH_NO_EFFECT = 2;
export const BATCH_ONE_BY_ONE = 4;
/** Of a large write: its bytes can't be given to the worker, and it fails in its place. */
export const BATCH_LOST = 8;
/** From this bit on, its flags have the number of the code that it fails with. */
export const LOST_CODE_SHIFT = 8;

/** Rounds a wish for pending bytes to an arena that can be cut without a rest. */
export function arenaBytesFor(pendingBytes: number): number {
  const wanted = Math.min(Math.max(pendingBytes, MIN_ARENA_BYTES), MAX_ARENA_BYTES);
  return Math.ceil(wanted / MIN_ARENA_BYTES) * MIN_ARENA_BYTES;
}

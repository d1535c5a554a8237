/**
 * The control block: 32-bit cells in shared memory by which the main side and a worker tell each
 * other how far they are. Each cell has one writer, named beside it.
 *
 * Numbers in cells wrap around at 32 bits; compare them with `reached` only.
 */

/** Main adds 1 whenever the worker has to look at once; the worker sleeps on it. */
export const DOORBELL = 0;
/** Worker: what it is doing, see below. Main: AWAKE, once it has called it from its event loop. */
export const WORKER_STATE = 1;
/** Worker adds 1 after each transaction that it finished; main sleeps on it. */
export const PROGRESS = 2;
/** Main: number of descriptors ever written to the ring. */
export const RING_TAIL = 3;
/** Worker: number of descriptors it has taken from the ring. */
export const RING_HEAD = 4;
/** Worker: 1 once its code runs; RETIRED once it has closed its files, as the process ends. */
export const BOOTED = 5;
export const RETIRED = 2;
/** Main: number of Comlink calls made to this worker; one that is not handled yet calls it to its event loop. */
export const CALLS = 6;
/** Worker: the system's number of its thread, where it can be known (Linux); else 0. */
export const THREAD_ID = 7;
/** Main: who wants to be told of progress, see below. */
export const WANTED = 8;
/** Worker: how many checkpoints it ran, and for how many microseconds in all. */
export const CHECKPOINTS = 9;
export const CHECKPOINT_MICROSECONDS = 10;

/** Worker: one more than the number of the file whose work it is carrying out; 0 if none. Left as it was by a thread that ends. */
export const FILE_AT_WORK = 11;

/**
 * Worker: one more than the number of a file that another process has written to, noted by an SQLite with a known fault in that
 * case before its own commit is published; 0 if there was none.
 */
export const FOREIGN_WRITER = 12;

/** Worker: how many pieces of work it has begun; an attempt that finds a file busy is one. */
export const WORKS_BEGUN = 13;

/** In its event loop, or not there yet: only a Comlink call reaches it. */
export const STATE_IN_EVENT_LOOP = 0;
/** Working, or about to look at the ring again before it sleeps, or called and not come yet. */
export const STATE_AWAKE = 1;
/** Asleep on the doorbell: ring and notify. */
export const STATE_ASLEEP = 2;
/** Asleep for a moment only, then it looks at the ring: ring and notify if somebody waits. */
export const STATE_DOZING = 3;

/** Nobody waits: progress is told after a pause in the traffic. A failure is told at once all the same. */
export const WANTED_LATER = 0;
/** Somebody waits for a promise, or something waits to be sent; or the thread is blocked until there is progress. */
export const WANTED_NOW = 1;

/** Where the ring begins; see `ring.ts`. */
export const RING_START = 16;
export const RING_CAPACITY = 2048;
export const DESCRIPTOR_CELLS = 5;
export const CONTROL_CELLS = RING_START + RING_CAPACITY * DESCRIPTOR_CELLS;

/** How many files a worker can have open: each has a commit point, the number of what was finished last for it. */
export const MAX_FILES = 65_536;

/** Whether a wrapping counter at `cell` has come to `wanted`. */
export function reached(cell: number, wanted: number): boolean {
  return ((cell - wanted) | 0) >= 0;
}

export const OWNER = 'sds-persistence-worker';

/** Everything the two sides share, handed to the worker at its start. */
export interface SharedMemory {
  /** By which a thread knows that it is one of ours. */
  owner: typeof OWNER;
  control: SharedArrayBuffer;
  commitPoints: SharedArrayBuffer;
  /** See `error-board.ts`. */
  board: SharedArrayBuffer;
  arena: SharedArrayBuffer;
}

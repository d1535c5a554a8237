/**
 * The control block: 32-bit cells in shared memory by which a line (the main side) and its worker
 * tell each other how far they are. Each cell has one writer, named beside it.
 *
 * Numbers in cells wrap around at 32 bits; compare them with `reached` only.
 */

/** Main adds 1 whenever there is something new; the worker sleeps on it. */
export const DOORBELL = 0;
/** Worker: what it is doing, see below. Main: AWAKE, once it has sent a message that calls it from its event loop. */
export const WORKER_STATE = 1;
/** Worker adds 1 after each batch that it finished; main sleeps on it. */
export const PROGRESS = 2;
/** Main: number of descriptors ever written to the ring. */
export const RING_TAIL = 3;
/** Worker: number of descriptors it has taken from the ring. */
export const RING_HEAD = 4;
/** Worker: 1 once its code runs; RETIRED once it has closed its files, as the process ends. */
export const BOOTED = 5;
export const RETIRED = 2;
/** Main: number of messages sent to this worker; one that is not handled yet calls it to its event loop. */
export const MESSAGES = 6;
/** Worker: the system's number of its thread, where it can be known (Linux); else 0. */
export const THREAD_ID = 7;

/** In its event loop, or not there yet: only a message reaches it. */
export const STATE_IN_EVENT_LOOP = 0;
/** Working, or about to look at the ring again before it sleeps, or called by a message that it has not got yet. */
export const STATE_AWAKE = 1;
/** Asleep on the doorbell: ring and notify. */
export const STATE_ASLEEP = 2;

/** A descriptor is (lane, batch number, first slab). */
const RING_START = 8;
export const RING_CAPACITY = 2048;
const DESCRIPTOR_CELLS = 3;
export const CONTROL_CELLS = RING_START + RING_CAPACITY * DESCRIPTOR_CELLS;

/** Index of the first cell of the descriptor with this running number. */
export function descriptorAt(running: number): number {
  return RING_START + ((running >>> 0) % RING_CAPACITY) * DESCRIPTOR_CELLS;
}

/**
 * How many files a worker can have open at once: each has one cell in the block of commit points,
 * into which the worker writes the number of the last batch it finished for it.
 */
export const MAX_LANES = 65_536;

/** Whether a wrapping counter at `cell` has come to `wanted`. */
export function reached(cell: number, wanted: number): boolean {
  return ((cell - wanted) | 0) >= 0;
}

/**
 * The error board: SQLite's words about the last failure in a worker, best effort, so that an
 * error of a batch that went by shared memory can have a cause. Layout: lane, batch number,
 * outcome, length, then UTF-8 of a JSON `ReportedCause`.
 */
export const BOARD_BYTES = 2048;
export const BOARD_TEXT_AT = 16;

export const OWNER = 'sds-persistence-worker';

/** Everything the two sides share, handed to the worker at its start. */
export interface SharedMemory {
  /** By which a thread knows that it is one of ours. */
  owner: typeof OWNER;
  control: SharedArrayBuffer;
  commitPoints: SharedArrayBuffer;
  board: SharedArrayBuffer;
  arena: SharedArrayBuffer;
}

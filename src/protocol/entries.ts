/**
 * How one call lies in a slab: a header of 32 bytes, the key as UTF-8 (a value's hash, a record's key
 * or what keys begin with, what a compaction has seen), then the data, padded to 8 bytes; none of a large write, whose bytes cross by Comlink.
 *
 *     cell 0  operation, outcome << 8, flags << 16      cell 4      settler (which promise)
 *     cell 1  member (which provider)                   cell 5      heard; not used by a patch
 *     cell 2  length of the key                         cells 6, 7  clock, as a double
 *     cell 3  length of the data
 *
 * A cell has 32 bits. Cell 0 is written as a whole, so that both sides agree on any machine.
 */

export const ENTRY_HEADER = 32;
export const ENTRY_MEMBER = 1;
export const ENTRY_KEY_LENGTH = 2;
export const ENTRY_DATA_LENGTH = 3;
export const ENTRY_SETTLER = 4;
/** The last batch of whose failures the program could know when it called. */
export const ENTRY_HEARD = 5;
/** Counted in doubles. */
export const ENTRY_CLOCK = 3;

/** The parts of an entry's first cell. */
export function operationOf(word: number): WriteOperation {
  return writeOperations[word & 0xff] as WriteOperation; // it was written as one
}

export function outcomeOf(word: number): number {
  return (word >> 8) & 0xff;
}

export function flagsOf(word: number): number {
  return word >> 16;
}

/** The same cell with another outcome; a mark goes with the attempt that has set it. */
export function withOutcome(word: number, outcome: number): number {
  return (word & ~(0xff00 | (ENTRY_NO_EFFECT << 16))) | (outcome << 8);
}

export function withFlags(word: number, flags: number): number {
  return word | (flags << 16);
}

/** What an entry's operation stands for: a method of the provider, by its index in here. */
export const writeOperations = [
  'appendPatch',
  'saveSnapshot',
  'prunePatches',
  'saveValue',
  'releaseValue',
  'compactStore',
  'removeStore',
  'saveRecord',
  'removeRecord',
  'removeRecords',
] as const;

export type WriteOperation = (typeof writeOperations)[number];
export type LoadOperation =
  | 'loadSnapshot'
  | 'loadPatchesSince'
  | 'loadValue'
  | 'loadStore'
  | 'listStores'
  | 'loadRecord'
  | 'loadRecords';
export type Operation = WriteOperation | LoadOperation;

/** The key of a `loadStore` whose bytes are to come in a parcel. */
export const IN_PARCEL = 'in a parcel';
/** The key of a `listStores` that is to find what another program's tables hold instead. */
export const NOT_IMPORTED = 'not imported';

/** Outcomes: none, which is success once the batch is finished, or FIRST_ERROR + the index of an error code. */
export const OUTCOME_OPEN = 0;
export const FIRST_ERROR = 1;

/**
 * Flag of an entry that has changed nothing: its patch was ignored although its bytes are not those under that number; or its store
 * was not compacted, because it is not as its caller has seen it; or its release was refused, because the save before it was not stored.
 */
export const ENTRY_NO_EFFECT = 1;
/** Of a patch: if its number is taken by other bytes, it is stored under the next free one. */
export const ENTRY_KEEPS_BOTH = 2;
/** Of a call that is no patch: its promise has resolved already. */
export const ENTRY_ACKNOWLEDGED = 4;

/** Room that an entry takes. */
export function entryBytes(keyLength: number, dataLength: number): number {
  return (ENTRY_HEADER + keyLength + dataLength + 7) & ~7;
}

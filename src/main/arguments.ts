/** Checks of what callers pass: nothing of a bad call is queued, nothing of it is stored. */
import { types } from 'node:util';
import type { SeenStore } from '../protocol/compaction.ts';
import type { SDS_StoreContents } from '../protocol/contents.ts';
import { Buffer } from '../protocol/surroundings.ts';
import { describe, describeSecret, textOf } from './option-checks.ts';
import { isAttached, lengthOf, mayGrow } from './view.ts';

/** Longer keys would not fit beside the patches. */
const MAX_KEY_BYTES = 65_536;

/** SQLite's limit for a value (https://sqlite.org/limits.html). */
const MOST_BYTES = 1_000_000_000;

/** Says what is wrong with a patch number, `undefined` if nothing is. */
export function faultOfClock(value: unknown, name: string): string | undefined {
  if (Number.isSafeInteger(value)) return undefined;
  return `${name} must be an integer within ±(2^53 - 1), not ${describe(value)}`;
}

/** Says what is wrong with a value's hash, or with a record's key or the beginning of one; `undefined` if nothing is. */
export function faultOfKey(value: unknown, name: string): string | undefined {
  if (typeof value !== 'string') return `${name} must be a string, not ${describe(value)}`;
  if (value.length > MAX_KEY_BYTES / 3 && Buffer.byteLength(value) > MAX_KEY_BYTES) {
    return `${name} is longer than ${MAX_KEY_BYTES} bytes`;
  }
  return undefined;
}

/** Says what is wrong with a byte argument, `undefined` if nothing is. */
export function faultOfBytes(value: unknown, name: string): string | undefined {
  if (!types.isUint8Array(value)) return `${name} must be a Uint8Array, not ${describeSecret(value)}`;
  if (lengthOf(value) === 0 && !isAttached(value)) return `${name} is detached: its bytes are gone`;
  if (mayGrow(value)) return `${name} is a view of shared memory that may grow: give a copy of it`;
  if (lengthOf(value) > MOST_BYTES)
    return `${name} is longer than ${MOST_BYTES} bytes, which is all that SQLite stores`;
  return undefined;
}

/** What a compaction was made from, each property read once: it may be of getters, or a revoked proxy. Or what is wrong with it. */
export function readContents(contents: unknown): { seen: SeenStore; lastClock: number } | string {
  if (typeof contents !== 'object' || contents === null)
    return `Contents must be what loadStore returned, not ${describe(contents)}`;
  try {
    const { Patches, SnapshotClock, LastClock } = contents as Partial<SDS_StoreContents>;
    if (!Array.isArray(Patches)) return `Contents.Patches must be an array, not ${describe(Patches)}`;
    const { length } = Patches;
    if (!Number.isSafeInteger(length)) return `Contents.Patches.length must be an integer, not ${describe(length)}`;
    const fault =
      (SnapshotClock === undefined ? undefined : faultOfClock(SnapshotClock, 'Contents.SnapshotClock')) ??
      faultOfClock(LastClock, 'Contents.LastClock');
    if (fault !== undefined) return fault;
    return { seen: { snapshotClock: SnapshotClock, patches: length }, lastClock: LastClock as number };
  } catch (error) {
    return `Contents can not be read: ${textOf(error)}`;
  }
}

/** Merges what is in a parcel, in whichever thread has the module for that. */
import type { MergeOrder } from './merge-messages.ts';
import type { Merge } from './merging-yjs.ts';
import { packOf, viewsOf } from './packed-bytes.ts';
import { open, type Parcel, seal } from './parcel.ts';

/** @throws what the module throws, and if it does not return bytes */
export async function mergeParcel(merge: Merge, { against }: MergeOrder, parts: Parcel): Promise<Parcel> {
  return seal([packOf(ownBytes(await merge(viewsOf(open(parts)), against)))]);
}

/** In a buffer of its own, to be handed over: a module may return a part of one that it goes on using. */
function ownBytes(merged: unknown): Uint8Array {
  if (!(merged instanceof Uint8Array)) throw new TypeError(`a merge must return a Uint8Array, not ${typeof merged}`);
  const { buffer, byteLength } = merged;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  return isWhole && Object.getPrototypeOf(merged) === Uint8Array.prototype ? merged : Uint8Array.from(merged);
}

/** What a load has found, as its caller gets it: in bytes, lists and objects of the realm of this code, as the caller's own are; a message's are of the main one. */
import type { SDS_Record, SDS_StoreContents } from '../../protocol/contents.ts';
import { addViews, type PackedBytes } from '../../protocol/packed-bytes.ts';
import type { Found } from '../../protocol/service.ts';
import { nextTurn } from '../../protocol/surroundings.ts';

/** Making views of so many patches takes about a millisecond; then the event loop has its turn. */
const VIEWS_A_TURN = 8192;

function ofThisRealm({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export async function partsOf(found: Exclude<Found, undefined>): Promise<unknown> {
  if (Array.isArray(found)) return patchesOf(found);
  if ('buffer' in found) return ofThisRealm(found);
  if ('stores' in found) return Array.from(found.stores);
  if ('keys' in found) {
    const data = await patchesOf(found.data);
    return Array.from(found.keys, (Key, index): SDS_Record => ({ Key, Data: data[index] as Uint8Array })); // as many as keys
  }
  if ('parcel' in found) return found;
  const { snapshot, snapshotClock, patches, lastClock } = found;
  return {
    Snapshot: snapshot && ofThisRealm(snapshot),
    SnapshotClock: snapshotClock,
    Patches: await patchesOf(patches),
    LastClock: lastClock,
  } satisfies SDS_StoreContents;
}

async function patchesOf(packs: PackedBytes): Promise<Uint8Array[]> {
  const patches: Uint8Array[] = [];
  let thisTurn = 0;
  for (const pack of packs) {
    if (thisTurn >= VIEWS_A_TURN) {
      thisTurn = 0;
      await nextTurn();
    }
    addViews(patches, pack);
    thisTurn += pack.lengths.length;
  }
  return patches;
}

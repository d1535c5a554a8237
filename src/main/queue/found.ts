/** What a load has found, as its caller gets it: in bytes, lists and objects of the realm of this code, as the caller's own are; a message's are of the main one. */
import type { SDS_Record, SDS_StoreContents } from '../../protocol/contents.ts';
import { addViews, type PackedBytes, viewsOf } from '../../protocol/packed-bytes.ts';
import type { Found } from '../../protocol/service.ts';
import { nextTurn } from '../../protocol/surroundings.ts';

/** Making views of so many patches takes about a millisecond; then the event loop has its turn. */
const VIEWS_A_TURN = 8192;

function ofThisRealm({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Nearly always at once, so that what was found in one call is told in the order in which it was asked for. */
export function partsOf(found: Found): unknown {
  if (found === undefined) return undefined;
  if (Array.isArray(found)) return patchesOf(found, (patches) => patches);
  if ('buffer' in found) return ofThisRealm(found);
  if ('stores' in found) return Array.from(found.stores);
  if ('keys' in found) {
    const { keys } = found;
    const recordsOf = (data: Uint8Array[]) =>
      Array.from(keys, (Key, index): SDS_Record => ({ Key, Data: data[index] as Uint8Array })); // as many as keys
    return patchesOf(found.data, recordsOf);
  }
  if ('parcel' in found) return found;
  const { snapshot, snapshotClock, patches, lastClock } = found;
  const contentsOf = (Patches: Uint8Array[]): SDS_StoreContents => ({
    Snapshot: snapshot && ofThisRealm(snapshot),
    SnapshotClock: snapshotClock,
    Patches,
    LastClock: lastClock,
  });
  return patchesOf(patches, contentsOf);
}

/** What `as` makes of the views; for very many of them, a promise of that. */
function patchesOf(packs: PackedBytes, as: (patches: Uint8Array[]) => unknown): unknown {
  const count = packs.reduce((sum, { lengths }) => sum + lengths.length, 0);
  return count > VIEWS_A_TURN ? inTurns(packs, as) : as(viewsOf(packs));
}

async function inTurns(packs: PackedBytes, as: (patches: Uint8Array[]) => unknown): Promise<unknown> {
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
  return as(patches);
}

/** Patches packed together, many in one buffer: so they cross in a few messages' parts. */

/** Patches in order, as packs of bounded size and the length of each patch. */
export type PackedBytes = { bytes: Uint8Array; lengths: Int32Array }[];

type Pack = PackedBytes[number];

/** Bytes by themselves, in the same form. */
export function packOf(bytes: Uint8Array): Pack {
  return { bytes, lengths: Int32Array.of(bytes.byteLength) };
}

/** Adds a view of each patch of a pack, in order. */
export function addViews(patches: Uint8Array[], { bytes, lengths }: Pack): void {
  const { buffer } = bytes;
  let start = bytes.byteOffset;
  for (const length of lengths) {
    patches.push(new Uint8Array(buffer, start, length));
    start += length;
  }
}

export function viewsOf(packs: PackedBytes): Uint8Array[] {
  const patches: Uint8Array[] = [];
  for (const pack of packs) addViews(patches, pack);
  return patches;
}

/** To be handed over: each pack lies in buffers of its own. */
export function buffersOf(packs: PackedBytes): ArrayBuffer[] {
  return packs.flatMap(({ bytes, lengths }) => [bytes.buffer as ArrayBuffer, lengths.buffer as ArrayBuffer]);
}

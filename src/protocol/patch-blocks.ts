/** Patches in blocks of bytes, each of which is shared by many: so they cross in a few messages' parts. */

/** Patches in order, as bounded blocks and the length of each patch. */
export type PatchBlocks = { bytes: Uint8Array; lengths: Int32Array }[];

type PatchBlock = PatchBlocks[number];

/** Bytes by themselves, in the same form. */
export function blockOf(bytes: Uint8Array): PatchBlock {
  return { bytes, lengths: Int32Array.of(bytes.byteLength) };
}

/** Adds a view of each patch of a block, in order. */
export function addViews(patches: Uint8Array[], { bytes, lengths }: PatchBlock): void {
  const { buffer } = bytes;
  let start = bytes.byteOffset;
  for (const length of lengths) {
    patches.push(new Uint8Array(buffer, start, length));
    start += length;
  }
}

export function viewsOf(blocks: PatchBlocks): Uint8Array[] {
  const patches: Uint8Array[] = [];
  for (const block of blocks) addViews(patches, block);
  return patches;
}

/** To be handed over: each block lies in buffers of its own. */
export function buffersOf(blocks: PatchBlocks): ArrayBuffer[] {
  return blocks.flatMap(({ bytes, lengths }) => [bytes.buffer as ArrayBuffer, lengths.buffer as ArrayBuffer]);
}

/** Turns what the worker found into what a load's promise resolves with. */
import type { PatchBlocks } from '../../protocol/service.ts';
import { nextTurn } from '../../protocol/surroundings.ts';

/** Making views of so many patches takes about a millisecond; then the event loop has its turn. */
const VIEWS_A_TURN = 8192;

/** What it resolves with is of the realm of this code, as its callers' own bytes are; a message is of the main one. */
export async function resolveWith(
  found: Uint8Array | PatchBlocks | undefined,
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
): Promise<void> {
  try {
    if (Array.isArray(found)) resolve(await patchesOf(found));
    else resolve(found && new Uint8Array(found.buffer, found.byteOffset, found.byteLength));
  } catch (error) {
    reject(error);
  }
}

async function patchesOf(blocks: PatchBlocks): Promise<Uint8Array[]> {
  const patches: Uint8Array[] = [];
  let thisTurn = 0;
  for (const { bytes, lengths } of blocks) {
    if (thisTurn >= VIEWS_A_TURN) {
      thisTurn = 0;
      await nextTurn();
    }
    const { buffer } = bytes;
    let start = bytes.byteOffset;
    for (const length of lengths) {
      patches.push(new Uint8Array(buffer, start, length));
      start += length;
    }
    thisTurn += lengths.length;
  }
  return patches;
}

/** Turns what the worker found into what a load's promise resolves with. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PatchBlocks } from '../../protocol/service.ts';

/** Making views of so many patches takes about a millisecond; then the event loop has its turn. */
const VIEWS_A_TURN = 8192;

export function resolveWith(
  found: Uint8Array | PatchBlocks | undefined,
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
): void {
  if (Array.isArray(found)) void patchesOf(found).then(resolve, reject);
  else resolve(found);
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

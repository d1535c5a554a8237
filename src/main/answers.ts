/** Turns what the worker answered into what a read's promise resolves with. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ReadResult } from '../protocol/service.ts';

/** Making views of so many patches takes about a millisecond; then the event loop has its turn. */
const VIEWS_A_TURN = 8192;

export function resolveWith(result: ReadResult, resolve: (value: unknown) => void): void {
  if (result.kind === 'bytes') resolve(result.bytes);
  else void patchesOf(result.blocks).then(resolve);
}

async function patchesOf(blocks: { bytes: Uint8Array; lengths: Int32Array }[]): Promise<Uint8Array[]> {
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

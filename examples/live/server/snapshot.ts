/**
 * The bytes of a snapshot: the number of the last patch that is in it, the document, and what stands
 * for the document's pictures. Patches go on from that number after a restart: the provider does not
 * tell it, and a number that is used twice loses a patch.
 */
import { randomFillSync } from 'node:crypto';
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding';

const SLICE = 512 * 1024;
/** Pictures don't compress and are not zeros. */
const pictures = randomFillSync(new Uint8Array(SLICE));

export interface Snapshot {
  clock: number;
  /** Undefined for a store without a snapshot. */
  state: Uint8Array | undefined;
}

/** In slices, with a turn of the event loop between them: 64 MB at once would hold up everybody. */
export async function packSnapshot(
  { clock, state }: { clock: number; state: Uint8Array },
  pictureBytes: number,
): Promise<Uint8Array> {
  const encoder = createEncoder();
  writeVarUint(encoder, clock);
  writeVarUint8Array(encoder, state);
  const head = toUint8Array(encoder);
  const bytes = new Uint8Array(head.byteLength + pictureBytes);
  bytes.set(head);
  for (let at = head.byteLength; at < bytes.byteLength; at += SLICE) {
    bytes.set(pictures.subarray(0, Math.min(SLICE, bytes.byteLength - at)), at);
    await new Promise(setImmediate);
  }
  return bytes;
}

export function unpackSnapshot(bytes: Uint8Array): Snapshot {
  const decoder = createDecoder(bytes);
  return { clock: readVarUint(decoder), state: readVarUint8Array(decoder) };
}

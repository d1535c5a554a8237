/**
 * Many small arrays on their way to another thread: their buffers, of which each is shared by many, and where each array lies. A message
 * of the arrays themselves takes the thread that sends it some microseconds for each.
 */

export interface PackedParts {
  buffers: ArrayBuffer[];
  /** Of each array: the index of its buffer, where it begins there, and its length. */
  spans: Float64Array<ArrayBuffer>;
}

export function pack(parts: readonly Uint8Array[]): PackedParts {
  const buffers: ArrayBuffer[] = [];
  const known = new Map<ArrayBufferLike, number>();
  const spans = new Float64Array(3 * parts.length);
  let last: ArrayBufferLike | undefined;
  let index = 0;
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    if (buffer !== last) {
      last = buffer;
      index = known.get(buffer) ?? buffers.push(buffer as ArrayBuffer) - 1;
      known.set(buffer, index);
    }
    spans[at++] = index;
    spans[at++] = byteOffset;
    spans[at++] = byteLength;
  }
  return { buffers, spans };
}

export function unpack({ buffers, spans }: PackedParts): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < spans.length; ) {
    const buffer = buffers[spans[at++] as number] as ArrayBuffer; // as `pack` has counted them
    parts.push(new Uint8Array(buffer, spans[at++], spans[at++]));
  }
  return parts;
}

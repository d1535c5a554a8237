/** Bytes that begin with a number, and whose rest follows from it. */
const HEAD = 8;

export function numbered(number: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(length, HEAD)).fill(number & 0xff);
  new DataView(bytes.buffer).setFloat64(0, number);
  return bytes;
}

export function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0);
}

export function isWhole(bytes: Uint8Array): boolean {
  const byte = numberOf(bytes) & 0xff;
  return bytes.subarray(HEAD).every((each) => each === byte);
}

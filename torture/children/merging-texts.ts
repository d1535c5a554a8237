/** Merges updates that are texts. */
export const merge = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

/** Which hashes say what bytes belong to them: programs may name values by any string. */
const SHA_256 = /^[0-9a-f]{64}$/i;

export function looksLikeSha256(hash: string): boolean {
  return SHA_256.test(hash);
}

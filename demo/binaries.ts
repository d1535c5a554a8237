/** The bytes that come with an editing session: pictures within the document, and large values beside it. */
import { createHash } from 'node:crypto';
import { seededRandom } from '../tests/support/random.ts';
import type { Binary, Session } from './session.ts';

/** The same bytes for the same seed; random ones, since pictures are compressed already. */
export function bytesOf({ bytes, seed }: Binary): Uint8Array {
  const random = seededRandom(seed);
  const words = Uint32Array.from({ length: Math.ceil(bytes / 4) }, () => random() * 2 ** 32);
  return new Uint8Array(words.buffer, 0, bytes);
}

/** SHA-256 in hexadecimal, by which a provider keeps large values. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a restored document must have besides its text, as hashes: pictures in their order, and large values. */
export interface ExpectedBinaries {
  pictures: string[];
  values: string[];
}

export function expectedBinaries({ transactions }: Session): ExpectedBinaries {
  const hashes = (name: 'picture' | 'value') =>
    transactions.flatMap(({ [name]: binary }) => (binary === undefined ? [] : [hashOf(bytesOf(binary))]));
  return { pictures: hashes('picture'), values: hashes('value') };
}

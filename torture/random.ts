/** Seeded random numbers, so that a failure can be repeated. */

import { seededRandom } from '../tests/support/random.ts';

export class Random {
  /** A number from 0 up to, not including, 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seededRandom(seed);
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new Error('there is nothing to pick from');
    return choices[this.below(choices.length)] as T; // below the length
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }

  /** Quick to make at any length, and still of this place: a random head, then a pattern. */
  longBytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length).fill(this.below(256));
    bytes.set(this.bytes(Math.min(16, length)));
    return bytes;
  }
}

/** Gathered writes of one file, which cross at once, by the ring, and are committed together; or one large write. */

import { NO_SLAB } from '../../protocol/slabs.ts';
import { performance } from '../../protocol/surroundings.ts';
import type { Trace } from '../observe/channels.ts';
import { Acknowledgement, type Awaited } from './acknowledgement.ts';
import type { LargeBytes } from './large-bytes.ts';
import type { Settler, WriteCall } from './member.ts';

const ignore = (): void => {};

export class Batch implements Awaited {
  readonly kind = 'batch';
  /** Its number in the file's order; wraps at 32 bits. */
  readonly number: number;
  /** What the program could know at its first call: the last batch of whose failures it could. */
  readonly heard: number;
  /** Its place among all that was called on its file, once it is shared or complete. */
  place = 0;
  readonly slabs: number[] = [];
  readonly settlers: Settler[] = [];
  /** Capacity of its slabs. */
  bytes = 0;
  /** Those of its only write, if it has such: it is announced with them. */
  large: LargeBytes | undefined;
  /** Whether it is to be sent, and whether it was. */
  announced = false;
  sent = false;
  /** Whether somebody waits for one of its promises. */
  isWaitedFor = false;
  settled = false;
  /** By `performance.now()`. */
  readonly begunAt = performance.now();
  patches = 0;
  patchBytes = 0;
  trace: Trace | undefined;
  readonly #host: Awaited;

  constructor(number: number, heard: number, host: Awaited) {
    this.number = number;
    this.heard = heard;
    this.#host = host;
  }

  /** Whether it is a large write, whose bytes are there. */
  get crossesByCall(): boolean {
    return this.large !== undefined && this.large.lost === undefined;
  }

  get firstSlab(): number {
    return this.slabs[0] ?? NO_SLAB;
  }

  /** Adds the promise of a call; returns its index among those of the batch. */
  addPromise(call: WriteCall, { promise, resolve, reject }: PromiseWithResolvers<unknown>): number {
    Acknowledgement.standsFor(promise, this);
    return this.settlers.push({ call, resolve, reject, isAcknowledged: false }) - 1;
  }

  /** The same for a call that is acknowledged already: its promise is let go of, because garbage that lasts until here is slow. */
  addAcknowledged(call: WriteCall): number {
    return this.settlers.push({ call, resolve: ignore, reject: ignore, isAcknowledged: true }) - 1;
  }

  /** Takes back the promise that was added last: its call did not become part of the batch. */
  takeBackPromise(): void {
    this.settlers.pop();
  }

  waitedFor(): void {
    // what crosses by a call reaches the worker, and is answered, whoever waits
    if (this.isWaitedFor || this.settled || this.crossesByCall) return;
    this.isWaitedFor = true;
    this.#host.waitedFor();
  }
}

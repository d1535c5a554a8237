/** A write whose bytes are too long to be gathered: it crosses by itself, through Comlink. */
import type { Bytes } from '../../protocol/service.ts';
import type { Watched } from '../observe/file-observer.ts';
import type { Member, Watcher } from './member.ts';

/** It has no place for its outcome yet. */
export const NO_SLOT = -1;

export class LargeWrite {
  readonly kind = 'write';
  /** Place in the file's order, wraps at 32 bits. */
  readonly number: number;
  readonly member: Member;
  readonly operation: number;
  readonly key: string;
  readonly clock: number;
  readonly data: Bytes;
  /** By `performance.now()`. */
  readonly askedAt = performance.now();
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  sent = false;
  /** Where the worker notes what became of it. */
  slot = NO_SLOT;
  /** When it was committed, as the worker noted it; 0 if it did not. */
  committedAt = 0;
  readonly watchers: Watcher[] = [];
  watched: Watched | undefined;

  constructor(number: number, member: Member, operation: number, key: string, clock: number, data: Bytes) {
    this.number = number;
    this.member = member;
    this.operation = operation;
    this.key = key;
    this.clock = clock;
    this.data = data;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.promise = promise;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** Whether its bytes were handed over to a worker: if that one is lost, so are they. */
  get isGone(): boolean {
    return this.data.buffer instanceof ArrayBuffer && this.data.buffer.detached;
  }
}

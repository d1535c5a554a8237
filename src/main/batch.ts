/** What crosses to the worker at once for one file, and the promises that depend on it. */
import type { SDS_PersistenceError } from '../protocol/errors.ts';
import type { Attachment, ReadResult } from '../protocol/service.ts';
import { NO_SLAB } from '../protocol/slabs.ts';
import type { Member } from './member.ts';

/** One promise, and what it takes to settle it. Patches of one provider in one batch share one. */
export interface Settler {
  member: Member;
  operation: number;
  resolve(value: unknown): void;
  reject(error: SDS_PersistenceError): void;
}

/**
 * Writes, then reads: a write that follows a read starts the next batch. So a worker that is lost
 * between the commit and the answers can be asked the reads again, and they see the same state.
 */
export class Batch {
  /** Place in the file's order, wraps at 32 bits. */
  readonly number: number;
  readonly slabs: number[] = [];
  readonly settlers: Settler[] = [];
  /** Settlers of the reads. */
  readonly reads: number[] = [];
  readonly attachments: Attachment[] = [];
  attachmentBytes = 0;
  slabBytes = 0;
  /** Whether it went to the worker, and whether as a message (else by the ring). */
  sent = false;
  byMessage = false;
  /** By settler; a read that failed has none. */
  answers: Map<number, ReadResult> | undefined;
  /** Whether its slabs went back before it was settled, and what had failed by then. */
  released = false;
  failed: Map<number, SDS_PersistenceError> | undefined;
  /** Whether its reads can't be asked again: its slabs went back, or later batches have passed it. */
  passed = false;
  /** Whether its reads were asked again and are not answered: the worker may be reading its slabs. */
  beingRead = false;
  /** First failure by provider, once settled. */
  failures: Map<Member, SDS_PersistenceError> | undefined;
  /** Called once settled. */
  readonly watchers: ((batch: Batch) => void)[] = [];

  constructor(number: number) {
    this.number = number;
  }

  get firstSlab(): number {
    return this.slabs[0] ?? NO_SLAB;
  }

  get bytes(): number {
    return this.slabBytes + this.attachmentBytes;
  }
}

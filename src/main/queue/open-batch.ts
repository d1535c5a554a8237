/**
 * The open batch of one file: writes are gathered in it until it is complete, or the worker seals it. Adding one begins anew where
 * the worker has begun with the batch.
 */
import { types } from 'node:util';
import { ENTRY_ACKNOWLEDGED, ENTRY_KEEPS_BOTH, entryBytes } from '../../protocol/entries.ts';
import { makeError, SDS_PersistenceError } from '../../protocol/errors.ts';
import type { Parcel } from '../../protocol/parcel.ts';
import { INLINE_LIMIT, NO_SLAB } from '../../protocol/slabs.ts';
import { Buffer, Promise } from '../../protocol/surroundings.ts';
import type { Channel } from '../channel/channel.ts';
import { needStack } from '../enough-stack.ts';
import type { PendingMemory } from '../memory/pending-memory.ts';
import { begin } from '../observe/channels.ts';
import type { FileObserver } from '../observe/file-observer.ts';
import { takeOver } from '../transfer.ts';
import { Acknowledgement, type Awaited } from './acknowledgement.ts';
import { Batch } from './batch.ts';
import { BatchWriter } from './batch-writer.ts';
import { LargeBytes } from './large-bytes.ts';
import type { Member, WriteCall } from './member.ts';
import type { Run } from './store.ts';

/** A batch of this size goes off by itself: a flood is committed in parts, none of which exceeds SQLite's page cache (2 MB). */
const FULL_BATCH = 1024 * 1024;
/** One with so many promises, mostly of many stores, may become larger: each store's part of the index is visited once a batch. */
const MANY_PROMISES = 64;
const FULL_BATCH_OF_MANY = 4 * FULL_BATCH;
/** A batch is shared with the worker from its first call on if its slab is no larger. */
export const LARGEST_SHARED = 16 * 1024;

/** What it needs of its worker. */
export interface BatchHost extends Awaited {
  readonly memory: PendingMemory;
  readonly channel: Channel;
  /** A batch is settled; perhaps it has failed because it waited for another process in vain. */
  settled(wasBusy: boolean): void;
  /** Somebody has waited for a batch that is settled. */
  noLongerWaitedFor(): void;
  /** Whatever is finished gives its memory back. */
  settleNow(): void;
  /** Holds the caller until there is room, or the worker is given up. */
  block(until: () => boolean): boolean;
}

/** What it needs of its queue. */
export interface OpenBatchOwner {
  readonly dbPath: string;
  readonly observer: FileObserver;
  /** The last batch of whose failures the program can know. */
  readonly heard: number;
  refusalOf(call: string): SDS_PersistenceError | undefined;
  /** There is a new batch: sends it while calls are still added to it; false if it has to wait. */
  share(batch: Batch): boolean;
  /** Nothing is added any more to a batch that was not sent. */
  completed(batch: Batch): void;
  /** There is something to send at the end of the current job; and: sends now what is worth it in mid-turn. */
  wantsToSend(): void;
  sendWithinTurn(): void;
}

export class OpenBatch {
  readonly #queue: OpenBatchOwner;
  readonly #host: BatchHost;
  readonly #observer: FileObserver;
  readonly #writer: BatchWriter;
  #batch: Batch | undefined;
  /** A slab for the next batch is chosen as if it had so much already. */
  #expectedBytes = 0;
  #lastNumber: number;

  constructor(queue: OpenBatchOwner, host: BatchHost, lastNumber: number) {
    this.#queue = queue;
    this.#lastNumber = lastNumber;
    this.#host = host;
    this.#observer = queue.observer;
    this.#writer = new BatchWriter(host.memory);
  }

  /** Copies a patch of so many bytes into the batch. The hot path: one header, one copy, no allocation. */
  appendPatch(member: Member, patch: Uint8Array, length: number, clock: number, handedOver: boolean): Promise<void> {
    const need = entryBytes(0, length);
    for (;;) {
      let batch = this.#batch;
      if (batch === undefined || !this.#writer.hasRoom(need)) {
        const refusal = this.#makeRoom(need, member, 'appendPatch');
        if (refusal !== undefined) return Promise.reject(refusal);
        batch = this.#batch as Batch; // #makeRoom has opened one
      }
      const { store } = member;
      const joined = store.run?.batch === batch && store.run.member === member ? store.run : undefined;
      const run = joined ?? beginRun(batch, member, clock);
      const flags = member.keepsBoth ? ENTRY_KEEPS_BOTH : 0;
      if (this.#writer.write('appendPatch', flags, member.id, run.settler, clock, patch, length, '', 0)) {
        this.#appended(batch, member, clock, length);
        if (handedOver) takeOver(patch); // copied, which costs less than a message, and detached as announced
        if (!batch.announced) this.#announce(batch);
        return run.promise;
      }
      if (joined === undefined) batch.takeBackPromise();
      this.complete(); // the worker has begun with it
    }
  }

  /** Adds a write that is no patch, or a large one, which is a batch by itself: its bytes cross beside the arena. */
  addWrite(
    call: WriteCall,
    data: Uint8Array | Parcel | undefined,
    length: number,
    handedOver: boolean,
  ): Promise<unknown> {
    const { member, operation, key, clock } = call;
    const isLarge = length > INLINE_LIMIT || (data !== undefined && !types.isUint8Array(data));
    const keyLength = key === '' ? 0 : Buffer.byteLength(key);
    const need = entryBytes(keyLength, isLarge ? 0 : length);
    const made = Acknowledgement.of<unknown>();
    for (;;) {
      const refusal =
        this.#unfounded(call) ??
        (isLarge ? this.#startAnew(member, operation) : undefined) ??
        this.#makeRoom(need, member, operation);
      if (refusal !== undefined) return refused(call, refusal);
      const batch = this.#batch as Batch; // #makeRoom has opened one
      const large = isLarge && data !== undefined ? this.#largeBytes(call, data, length, handedOver) : undefined;
      if (large instanceof SDS_PersistenceError) {
        this.#announce(batch); // it was opened for the call: its slab comes back as it goes its way
        return refused(call, large);
      }
      // not before: it may have held the caller, and settled what this depends on
      const flags = entryFlags(call, large);
      const isAcknowledged = (flags & ENTRY_ACKNOWLEDGED) !== 0;
      const index = isAcknowledged ? batch.addAcknowledged(call) : batch.addPromise(call, made);
      member.store.run = undefined; // the calls of a store keep their order, even if some fail
      const gathered = large === undefined && types.isUint8Array(data) ? data : undefined;
      const gatheredLength = gathered === undefined ? 0 : length;
      const { heard } = this.#queue;
      if (
        this.#writer.write(operation, flags, member.id, index, clock, gathered, gatheredLength, key, keyLength, heard)
      ) {
        if (large !== undefined) {
          batch.large = large;
          this.#host.memory.largeBytes += length;
          if (operation === 'appendPatch') this.#appended(batch, member, clock, length);
          this.complete();
        }
        const settler = batch.settlers[index];
        if (operation === 'saveSnapshot' && settler !== undefined) member.snapshotCalled(settler);
        if (gathered !== undefined && handedOver) takeOver(gathered);
        if (!batch.announced) this.#announce(batch);
        if (isAcknowledged) made.resolve(undefined);
        return made.promise;
      }
      batch.takeBackPromise();
      this.complete(); // the worker has begun with it
    }
  }

  /** Why a prune or a release that relies on a save which was refused is refused as well. */
  #unfounded(call: WriteCall): SDS_PersistenceError | undefined {
    const { member, operation } = call;
    const refusal = member.refusalBefore(call);
    if (refusal === undefined) return undefined;
    const what = operation === 'prunePatches' ? 'no patch was deleted' : 'no reference was taken away';
    const detail = `${what}, because the save called before was refused`;
    return makeError(refusal.code, operation, this.#queue.dbPath, detail, refusal);
  }

  /** Or why there are none. */
  #largeBytes(
    { operation }: WriteCall,
    data: Uint8Array | Parcel,
    length: number,
    handedOver: boolean,
  ): LargeBytes | SDS_PersistenceError {
    try {
      return new LargeBytes(data, length, handedOver, this.#host.memory.blocks);
    } catch (error) {
      const detail = `there is no memory for a copy of its ${length} bytes; nothing was stored`;
      return makeError('io-error', operation, this.#queue.dbPath, detail, error);
    }
  }

  /**
   * Waits until a large write may be added, of whatever size: if it had to fit into what is left, smaller ones could overtake it
   * for ever. What is gathered goes first.
   */
  #startAnew(member: Member, call: string): SDS_PersistenceError | undefined {
    needStack();
    const { memory } = this.#host;
    const hasRoom = () => memory.largeBytes < member.settings.MaxPendingBytes;
    const refusal = this.#queue.refusalOf(call) ?? this.#waitFor(hasRoom, member, call);
    if (refusal === undefined) this.complete();
    return refusal;
  }

  /** Settles what is finished, if there is no room yet; then holds the caller until there is, or refuses, as its provider is set to. */
  #waitFor(hasRoom: () => boolean, member: Member, call: string): SDS_PersistenceError | undefined {
    if (hasRoom()) return undefined;
    this.#host.settleNow();
    if (!hasRoom() && member.settings.Overflow === 'block') this.#observer.hold(() => this.#host.block(hasRoom));
    const refusal = this.#queue.refusalOf(call);
    if (refusal !== undefined || hasRoom()) return refusal;
    // or it can't be held: it is called by whoever is told of the thread that takes the place of a lost one
    member.refusedWrites++;
    if (call === 'appendPatch') member.rejectedAppends++;
    return makeError('queue-full', call, this.#queue.dbPath);
  }

  #appended(batch: Batch, member: Member, clock: number, length: number): void {
    member.appended(clock);
    batch.patches++;
    batch.patchBytes += length;
    this.#observer.appended++;
    this.#observer.appendedBytes += length;
  }

  /** Opens a batch with room for an entry, if need be; holds the caller, or refuses, while too much is pending. */
  #makeRoom(need: number, member: Member, call: string): SDS_PersistenceError | undefined {
    const { memory } = this.#host;
    const { MaxPendingBytes } = member.settings;
    let refusal = this.#queue.refusalOf(call);
    while (refusal === undefined) {
      if (this.#batch !== undefined && this.#writer.hasRoom(need)) return undefined;
      if (this.#batch?.sent === true) {
        this.#expectedBytes = LARGEST_SHARED / 2; // it was full before the worker came to it
        this.complete();
      }
      if (this.#batch !== undefined && isFull(this.#batch)) this.complete();
      // a batch is complete, or its slabs are full: the worker may start on it
      this.#queue.sendWithinTurn();
      const batch = this.#batch ?? new Batch((this.#lastNumber + 1) | 0, this.#queue.heard, this.#host);
      const slab = memory.takeSlab(need, this.#batch?.bytes ?? this.#expectedBytes, MaxPendingBytes);
      if (slab !== NO_SLAB) {
        this.#writer.enter(slab, batch);
        this.#batch = batch; // not before: the stack may end in there
        this.#lastNumber = batch.number;
        return undefined;
      }
      refusal = this.#waitFor(() => memory.hasRoom(need, MaxPendingBytes), member, call);
    }
    return refusal;
  }

  /** Nothing is added to the batch any more; perhaps it was sent already. */
  complete(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    this.#writer.complete();
    if (!batch.sent) this.#queue.completed(batch);
  }

  /** There is a new batch, with its first call: it is shared with the worker, or sent at the end of the turn. */
  #announce(batch: Batch): void {
    batch.announced = true;
    try {
      // a large write is complete, and waits, by then
      if (!this.is(batch) || !this.#queue.share(batch)) this.#queue.wantsToSend();
    } catch (error) {
      batch.announced = batch.sent; // no stack is left: the next call announces it
      throw error;
    }
    // it has its place in the queue: only now may others hear of it
    batch.trace = begin('commit', () => ({ Path: this.#queue.dbPath }));
  }

  /** The batch, if it has a call, and was not sent yet. */
  get unsent(): Batch | undefined {
    return this.#batch?.announced === true && !this.#batch.sent ? this.#batch : undefined;
  }

  is(batch: Batch): boolean {
    return batch === this.#batch;
  }

  /** The batch, of one slab, is about to be shared with the worker. */
  share(): void {
    this.#writer.share();
  }
}

function refused(call: WriteCall, refusal: SDS_PersistenceError): Promise<never> {
  call.member.refused(call, refusal);
  return Promise.reject(refusal);
}

/** Those of the entry of a write. */
function entryFlags(call: WriteCall, large: LargeBytes | undefined): number {
  const { member, operation } = call;
  const ofPatch = operation === 'appendPatch' && member.keepsBoth ? ENTRY_KEEPS_BOTH : 0;
  const mayBeLost = operation === 'saveValue' && large?.isShared === false;
  const isAcknowledged = !mayBeLost && member.acknowledgesQueued(call);
  return ofPatch | (isAcknowledged ? ENTRY_ACKNOWLEDGED : 0);
}

function beginRun(batch: Batch, member: Member, clock: number): Run {
  const made = Acknowledgement.of();
  const settler = batch.addPromise({ member, operation: 'appendPatch', key: '', clock }, made);
  const run: Run = { batch, member, settler, promise: made.promise as Promise<void> };
  member.store.run = run;
  return run;
}

function isFull({ bytes, settlers }: Batch): boolean {
  return bytes >= (settlers.length > MANY_PROMISES ? FULL_BATCH_OF_MANY : FULL_BATCH);
}

/** Gathers the calls on one file: writes into the open batch, and what can't be gathered in order behind it. */
import {
  APPEND_PATCH,
  ENTRY_ACKNOWLEDGED,
  ENTRY_KEEPS_BOTH,
  ENTRY_NEEDS_SNAPSHOT,
  entryBytes,
  operationNames,
  PRUNE_PATCHES,
  SAVE_SNAPSHOT,
} from '../../protocol/entries.ts';
import { makeError, type SDS_PersistenceError } from '../../protocol/errors.ts';
import type { Bytes } from '../../protocol/service.ts';
import { INLINE_LIMIT, NO_SLAB } from '../../protocol/slabs.ts';
import { Buffer, Promise } from '../../protocol/surroundings.ts';
import { inTheMiddle } from '../observe/notes.ts';
import { takeMark, takeOver } from '../transfer.ts';
import { lengthOf } from '../view.ts';
import { Acknowledgement, type Awaited } from './acknowledgement.ts';
import { Admission, type Admitting, type Room } from './backpressure.ts';
import { Batch } from './batch.ts';
import { BatchWriter } from './batch-writer.ts';
import { type Item, WORTH_SENDING } from './in-flight.ts';
import { LargeWrite } from './large-write.ts';
import { Load } from './load.ts';
import type { Member } from './member.ts';

/**
 * A batch that grew to this goes off by itself, so that a flood is committed, and its slabs come back, in
 * parts. A transaction of more than SQLite's page cache (2 MB) would have to write pages before its end.
 */
const FULL_BATCH = 1024 * 1024;
/** One with so many promises, mostly of many stores, may become larger: each store's part of the index is visited once a batch. */
const MANY_PROMISES = 64;
const FULL_BATCH_OF_MANY = 4 * FULL_BATCH;
/** A batch is shared with the worker from its first call on if its slab is no larger. */
export const LARGEST_SHARED = 16 * 1024;

/** What gathering needs of the queue that it is part of. */
export interface GatheringOwner extends Admitting {
  /** Sends the open batch while calls are still added to it; false if it has to wait. */
  share(batch: Batch): boolean;
  /** There is something to send at the end of the turn; and: send now what is worth it in mid-turn. */
  wantsToSend(): void;
  sendWithinTurn(): void;
}

export class Gathering {
  readonly #owner: GatheringOwner;
  readonly #host: Room & Awaited;
  readonly #admission: Admission;
  readonly #writer: BatchWriter;
  /** Complete but not sent, oldest first. */
  readonly #complete: Item[] = [];
  /** The batch that calls are added to. */
  #open: Batch | undefined;
  #lastNumber: number;
  /** A slab for the next batch is chosen as if it had so much already. */
  #expectedBytes = 0;

  constructor(owner: GatheringOwner, host: Room & Awaited, lastNumber: number) {
    this.#owner = owner;
    this.#host = host;
    this.#admission = new Admission(owner, host);
    this.#writer = new BatchWriter(host.memory);
    this.#lastNumber = lastNumber;
  }

  /** Copies a patch into the open batch. The hot path: one header, one copy, no allocation. */
  appendPatch(member: Member, patch: Uint8Array, clock: number): Promise<void> {
    const length = lengthOf(patch);
    const handedOver = takeMark(patch);
    const flags = member.keepsBoth ? ENTRY_KEEPS_BOTH : 0;
    if (length > INLINE_LIMIT) return this.#addLarge(member, APPEND_PATCH, '', clock, patch, handedOver, flags);
    const need = entryBytes(0, length);
    for (let made: PromiseWithResolvers<unknown> | undefined; ; ) {
      let batch = this.#open;
      if (batch === undefined || !this.#writer.hasRoom(need)) {
        made ??= Acknowledgement.of();
        const refusal = this.#makeRoom(need, member, 'appendPatch');
        if (refusal !== undefined) return Promise.reject(refusal);
        batch = this.#open as Batch; // #makeRoom has opened one
      }
      const joins = member.run === batch;
      if (!joins) {
        if (made === undefined) {
          made = Acknowledgement.of();
          continue; // whoever was told of a new promise may have called
        }
        member.run = batch;
        member.runSettler = batch.addPromise(member, APPEND_PATCH, made);
        member.runPromise = made.promise as Promise<void>;
      }
      if (this.#writer.write(APPEND_PATCH, flags, member.id, member.runSettler, clock, patch, length, '', 0)) {
        member.appended(clock);
        this.#owner.observer.appended++;
        this.#owner.observer.appendedBytes += length;
        if (handedOver) takeOver(patch); // copied, which costs less than a message, and detached as announced
        const { runPromise } = member;
        if (!batch.announced) this.#announce(batch);
        return runPromise as Promise<void>; // there is one, since it is part of a run
      }
      if (!joins) batch.takeBackPromise();
      this.completeOpen(); // the worker has begun with it
    }
  }

  /** Adds a write that is no patch; `takeOverBytes` hands the caller's buffer over although it is not marked. */
  addWrite(
    member: Member,
    operation: number,
    key: string,
    clock: number,
    data?: Uint8Array,
    takeOverBytes = false,
  ): Promise<void> {
    const length = data === undefined ? 0 : lengthOf(data);
    const handedOver = data !== undefined && (takeMark(data) || takeOverBytes);
    if (data !== undefined && length > INLINE_LIMIT) {
      return this.#addLarge(member, operation, key, clock, data, handedOver, 0);
    }
    const keyLength = key === '' ? 0 : Buffer.byteLength(key);
    const made = Acknowledgement.of<unknown>();
    for (;;) {
      const refusal = this.#makeRoom(entryBytes(keyLength, length), member, operationNames[operation] ?? '');
      if (refusal !== undefined) return Promise.reject(refusal);
      const batch = this.#open as Batch; // #makeRoom has opened one
      // not before: it may have held the caller, and settled what this depends on
      const needsSnapshot = operation === PRUNE_PATCHES && member.snapshotWasQueued ? ENTRY_NEEDS_SNAPSHOT : 0;
      const isAcknowledged = member.acknowledgesQueued(operation, key);
      const flags = isAcknowledged ? needsSnapshot | ENTRY_ACKNOWLEDGED : needsSnapshot;
      const index = isAcknowledged
        ? batch.addAcknowledged(member, operation, key)
        : batch.addPromise(member, operation, made);
      member.endRun(); // calls of a provider keep their order, also if some fail
      if (this.#writer.write(operation, flags, member.id, index, clock, data, length, key, keyLength)) {
        const settler = batch.settlers[index];
        if (operation === SAVE_SNAPSHOT && settler !== undefined) {
          inTheMiddle(() => member.snapshotCalled(clock, settler, isAcknowledged));
        }
        if (data !== undefined && handedOver) takeOver(data);
        if (!batch.announced) this.#announce(batch);
        if (isAcknowledged) made.resolve(undefined);
        return made.promise as Promise<void>;
      }
      batch.takeBackPromise();
      this.completeOpen(); // the worker has begun with it
    }
  }

  /** Adds a write whose bytes cross beside the arena: taken over, or copied into a shared block. */
  #addLarge(
    member: Member,
    operation: number,
    key: string,
    clock: number,
    data: Uint8Array,
    handedOver: boolean,
    flags: number,
  ): Promise<void> {
    const call = operationNames[operation] ?? '';
    // first of all: hooks of promises may call, and this write has no number yet
    const settlers = Promise.withResolvers<unknown>();
    const refusal = this.#admission.admit(lengthOf(data), member, call);
    if (refusal !== undefined) return Promise.reject(refusal);
    let bytes: Bytes;
    try {
      bytes = (handedOver ? takeOver(data) : undefined) ?? this.#copy(data);
    } catch (error) {
      const detail = `there is no memory for a copy of its ${lengthOf(data)} bytes; nothing was stored`;
      return Promise.reject(makeError('io-error', call, this.#owner.dbPath, detail, error));
    }
    this.completeOpen();
    this.#host.memory.pendingBytes += bytes.length;
    const write = new LargeWrite(this.#nextNumber(), member, operation, key, clock, bytes, flags, settlers);
    if (operation === APPEND_PATCH) {
      member.appended(clock);
      this.#owner.observer.appended++;
      this.#owner.observer.appendedBytes += bytes.length;
    }
    write.watched = this.#owner.observer.began();
    this.#owner.observer.completed(write.watched);
    this.#complete.push(write);
    member.endRun();
    if (operation === SAVE_SNAPSHOT) inTheMiddle(() => member.snapshotCalled(clock, write, write.isAcknowledged));
    this.#owner.wantsToSend();
    this.#owner.observer.registered(write.watched);
    if (write.isAcknowledged) settlers.resolve(undefined);
    return write.promise as Promise<void>;
  }

  /** Copies into shared memory, so that a lost worker does not lose the bytes. */
  #copy(data: Uint8Array): Bytes {
    const length = lengthOf(data);
    const buffer = this.#host.memory.blocks.take(length);
    new Uint8Array(buffer, 0, length).set(data);
    return { buffer, start: 0, length };
  }

  addLoad(member: Member, operation: number, key: string, clock: number): Promise<unknown> {
    const refusal = this.#owner.refusalOf(operationNames[operation] ?? '');
    if (refusal !== undefined) return Promise.reject(refusal);
    const load = new Load(member, operation, key, clock);
    this.completeOpen();
    this.#complete.push(load);
    this.#owner.wantsToSend();
    load.trace = this.#owner.observer.beganLoad(operationNames[operation] ?? '');
    return load.promise;
  }

  /**
   * Sees to it that there is an open batch with room for an entry. Sends what is complete, and holds
   * the caller, or refuses, while too much is pending.
   */
  #makeRoom(need: number, member: Member, call: string): SDS_PersistenceError | undefined {
    const { memory } = this.#host;
    const { MaxPendingBytes } = member.settings;
    for (let settled = false; ; ) {
      const refusal = this.#owner.refusalOf(call);
      if (refusal !== undefined) return refusal;
      if (this.#open !== undefined && this.#writer.hasRoom(need)) return undefined;
      if (this.#open?.sent === true) {
        this.#expectedBytes = LARGEST_SHARED / 2; // it was full before the worker came to it
        this.completeOpen();
      }
      if (this.#open !== undefined && isFull(this.#open)) this.completeOpen();
      // a batch is complete, or its slabs are full: the worker may start on it, if that is worth a batch of its own
      if (this.#complete.length > 0 || (this.#open?.bytes ?? 0) >= WORTH_SENDING) this.#owner.sendWithinTurn();
      const slab = memory.takeSlab(need, this.#open?.bytes ?? this.#expectedBytes, MaxPendingBytes);
      if (slab !== NO_SLAB) {
        this.#enterSlab(slab);
        return undefined;
      }
      if (!settled) {
        settled = true;
        this.#host.settleNow();
        continue;
      }
      const full = this.#admission.holdOrRefuse(() => memory.hasRoom(need, MaxPendingBytes), member, call);
      if (full !== undefined) return full;
    }
  }

  #enterSlab(slab: number): void {
    this.#open ??= new Batch(this.#nextNumber(), this.#host, this.#owner.observer.began());
    this.#writer.enter(slab, this.#open);
  }

  #nextNumber(): number {
    this.#lastNumber = (this.#lastNumber + 1) | 0;
    return this.#lastNumber;
  }

  /** Nothing is added to the open batch any more; perhaps it was sent already. */
  completeOpen(): void {
    const batch = this.#open;
    if (batch === undefined) return;
    this.#open = undefined;
    this.#owner.observer.completed(batch.watched);
    this.#writer.complete();
    if (!batch.sent) this.#complete.push(batch);
  }

  /** There is a new batch, with its first call: it is shared with the worker, or sent at the end of the turn. */
  #announce(batch: Batch): void {
    batch.announced = true;
    if (!this.#owner.share(batch)) this.#owner.wantsToSend();
    this.#owner.observer.registered(batch.watched);
  }

  // ---- what is gathered -----------------------------------------------------------------------------

  /** Whether nothing complete waits to be sent. */
  get isClear(): boolean {
    return this.#complete.length === 0;
  }

  /** What is to be sent next; it may be the open batch. */
  get next(): Item | undefined {
    return this.#complete[0] ?? (this.#open?.sent === true ? undefined : this.#open);
  }

  /** The same, complete; it stays until `wasTaken`. */
  completeNext(): Item | undefined {
    if (this.#complete.length === 0) this.completeOpen();
    return this.#complete[0];
  }

  wasTaken(): void {
    this.#complete.shift();
  }

  /** The open batch, of one slab, is about to be shared with the worker. */
  share(): void {
    this.#writer.share();
  }

  isOpen(item: Item): boolean {
    return item === this.#open;
  }

  /** The open batch is completed if it was shared: its worker is gone. */
  completeShared(): void {
    if (this.#open?.sent === true) this.completeOpen();
  }

  /** Everything that waits, complete. */
  get waiting(): readonly Item[] {
    this.completeOpen();
    return this.#complete;
  }

  takeAll(): Item[] {
    this.completeOpen();
    return this.#complete.splice(0);
  }

  /** What was sent has to be sent again, before all else. */
  putBack(items: readonly Item[]): void {
    this.#complete.unshift(...items);
  }
}

function isFull({ bytes, settlers }: Batch): boolean {
  return bytes >= (settlers.length > MANY_PROMISES ? FULL_BATCH_OF_MANY : FULL_BATCH);
}

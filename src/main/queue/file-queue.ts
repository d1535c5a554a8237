/**
 * All that is called on one database file, in order: gathers writes into batches, says when each may be
 * sent, and settles their promises once the worker has published that they are finished.
 */
import { reached } from '../../protocol/control.ts';
import { APPEND_PATCH, entryBytes, operationNames } from '../../protocol/entries.ts';
import { makeError, type SDS_PersistenceError } from '../../protocol/errors.ts';
import type { Bytes } from '../../protocol/service.ts';
import { INLINE_LIMIT, NO_SLAB } from '../../protocol/slabs.ts';
import type { PendingMemory } from '../memory/pending-memory.ts';
import { FileObserver } from '../observe/file-observer.ts';
import { takeMark, takeOver } from '../ownership.ts';
import { lengthOf } from '../view.ts';
import { Batch } from './batch.ts';
import { BatchWriter } from './batch-writer.ts';
import { LargeWrite } from './large-write.ts';
import { Load, type Loaded } from './load.ts';
import type { Member, Watcher } from './member.ts';
import {
  type Findings,
  refuseBatch,
  refuseLoad,
  refuseWrite,
  settleBatch,
  settleLoad,
  settleWrite,
} from './settling.ts';
import { type Item, MOST_SMALL, UnderWay, WORTH_SENDING } from './under-way.ts';

/**
 * A batch that grew to this goes off by itself, so that a flood is committed, and its slabs come back, in
 * parts. A transaction of more than SQLite's page cache (2 MB) would have to write pages before its end.
 */
const FULL_BATCH = 1024 * 1024;
/** One with so many promises, mostly of many stores, may become larger: each store's place in the index is visited once a batch. */
const MANY_PROMISES = 64;
const FULL_BATCH_OF_MANY = 4 * FULL_BATCH;
/** A batch is shared with the worker from its first call on if its slab is no larger. */
const LARGEST_SHARED = 16 * 1024;
/** What nobody waits for is settled when so many batches are under way: many at once cost less than each by itself. */
const SETTLE_TOGETHER = 16;

type GiveUpReason = (call: string) => SDS_PersistenceError;

/** What a queue needs of the connection to its worker. */
export interface QueueHost {
  readonly memory: PendingMemory;
  readonly commitPoints: Int32Array;
  readonly sqliteVersion: string;
  /** Whether this thread is blocked: then no answer can arrive. */
  readonly blocked: boolean;
  /** There is something to send, at the end of the current job. */
  wantsToSend(queue: FileQueue): void;
  hasUnderWay(queue: FileQueue): void;
  /** Sends one thing; false if there is no room for it now. */
  sendBatch(queue: FileQueue, batch: Batch): boolean;
  /** Sends a batch within the turn that the worker need not look at before it does so by itself. */
  sendShared(queue: FileQueue, batch: Batch): boolean;
  /** There is much to settle; and: room is short, whatever is finished gives its own back now. */
  settleSoon(): void;
  settleNow(): void;
  sendWrite(queue: FileQueue, write: LargeWrite): boolean;
  sendLoad(queue: FileQueue, load: Load): void;
  /** What the worker noted of a write that is finished; its slot may be used anew. */
  takeOutcome(write: LargeWrite): number;
  causeOf(file: number, number: number, outcome: number): Error | undefined;
  /** Somebody waits for a batch; somebody waited for one that is settled. */
  hurry(): void;
  hurried(): void;
  /** Holds the caller until there is room, or the worker is given up. */
  hold(until: () => boolean): void;
}

export class FileQueue implements Findings {
  readonly id: number;
  readonly dbPath: string;
  /** `:memory:` and the like: gone with the worker. */
  readonly transient: boolean;
  readonly members = new Set<Member>();
  readonly observer: FileObserver;
  readonly #host: QueueHost;
  readonly #writer: BatchWriter;

  readonly #underWay: UnderWay;
  /** Complete but not sent, oldest first. */
  readonly #complete: Item[] = [];
  /** The batch that calls are added to. */
  #open: Batch | undefined;
  #lastNumber: number;
  /** A slab for the next batch is chosen as if it had so much already. */
  #expectedBytes = 0;
  /** Why it can't go on, if so: every call is refused with it. */
  #lost: GiveUpReason | undefined;

  constructor(id: number, host: QueueHost, dbPath: string, transient: boolean) {
    this.id = id;
    this.#host = host;
    this.dbPath = dbPath;
    this.transient = transient;
    this.observer = new FileObserver(dbPath);
    this.#writer = new BatchWriter(host.memory);
    this.#underWay = new UnderWay(({ number }) => reached(Atomics.load(host.commitPoints, id), number));
    this.#lastNumber = Atomics.load(host.commitPoints, id);
  }

  /** Why nothing can be called any more, if so. */
  refusalOf(call: string): SDS_PersistenceError | undefined {
    return this.#lost?.(call);
  }

  // ---- adding calls -------------------------------------------------------------------------

  /** Copies a patch into the open batch. The hot path: one header, one copy, no allocation. */
  appendPatch(member: Member, patch: Uint8Array, clock: number): Promise<void> {
    const length = lengthOf(patch);
    const handedOver = takeMark(patch);
    if (length > INLINE_LIMIT) return this.#addLarge(member, APPEND_PATCH, '', clock, patch, handedOver);
    const need = entryBytes(0, length);
    for (;;) {
      let batch = this.#open;
      if (batch === undefined || !this.#writer.hasRoom(need)) {
        const refusal = this.#makeRoom(need, member, 'appendPatch');
        if (refusal !== undefined) return Promise.reject(refusal);
        batch = this.#open as Batch; // #makeRoom has opened one
      }
      const joins = member.run === batch;
      if (!joins) {
        const { promise, index } = batch.addPromise(member, APPEND_PATCH);
        member.run = batch;
        member.runSettler = index;
        member.runPromise = promise as Promise<void>;
      }
      if (this.#writer.write(APPEND_PATCH, member.id, member.runSettler, clock, patch, length, '', 0)) {
        if (!batch.announced) this.#announce(batch);
        break;
      }
      if (!joins) batch.takeBackPromise();
      this.#completeOpen(); // the worker has begun with it
    }
    this.observer.appended++;
    this.observer.appendedBytes += length;
    if (handedOver) takeOver(patch); // copied, which costs less than a message, and detached as announced
    return member.runPromise;
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
      return this.#addLarge(member, operation, key, clock, data, handedOver);
    }
    const keyLength = key === '' ? 0 : Buffer.byteLength(key);
    for (;;) {
      const refusal = this.#makeRoom(entryBytes(keyLength, length), member, operationNames[operation] ?? '');
      if (refusal !== undefined) return Promise.reject(refusal);
      const batch = this.#open as Batch; // #makeRoom has opened one
      const { promise, index } = batch.addPromise(member, operation);
      member.run = undefined; // calls of a provider keep their order, also if some fail
      if (this.#writer.write(operation, member.id, index, clock, data, length, key, keyLength)) {
        if (!batch.announced) this.#announce(batch);
        if (data !== undefined && handedOver) takeOver(data);
        return promise as Promise<void>;
      }
      batch.takeBackPromise();
      this.#completeOpen(); // the worker has begun with it
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
  ): Promise<void> {
    const refusal = this.#admit(lengthOf(data), member, operationNames[operation] ?? '');
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#completeOpen();
    const bytes = (handedOver ? takeOver(data) : undefined) ?? this.#copy(data);
    this.#host.memory.pendingBytes += bytes.length;
    const write = new LargeWrite(this.#nextNumber(), member, operation, key, clock, bytes);
    if (operation === APPEND_PATCH) {
      this.observer.appended++;
      this.observer.appendedBytes += bytes.length;
    }
    write.watched = this.observer.began();
    this.observer.completed(write.watched);
    this.#complete.push(write);
    member.run = undefined;
    this.#host.wantsToSend(this);
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
    if (this.#lost !== undefined) return Promise.reject(this.#lost(operationNames[operation] ?? ''));
    this.#completeOpen();
    const load = new Load(member, operation, key, clock);
    load.trace = this.observer.beganLoad(operationNames[operation] ?? '');
    this.#complete.push(load);
    this.#host.wantsToSend(this);
    return load.promise;
  }

  /** Waits until so many bytes may be added beside the slabs. One call that is larger than all goes alone. */
  #admit(length: number, member: Member, call: string): SDS_PersistenceError | undefined {
    if (this.#lost !== undefined) return this.#lost(call);
    const { memory } = this.#host;
    const fits = () => memory.pendingBytes === 0 || memory.pendingBytes + length <= member.settings.MaxPendingBytes;
    if (fits()) return undefined;
    this.#host.settleNow();
    if (fits()) return undefined;
    if (member.settings.Overflow === 'reject') return makeError('queue-full', call, this.dbPath);
    this.#hold(fits);
    return this.refusalOf(call);
  }

  /**
   * Sees to it that there is an open batch with room for an entry. Sends what is complete, and holds
   * the caller, or refuses, while too much is pending.
   */
  #makeRoom(need: number, member: Member, call: string): SDS_PersistenceError | undefined {
    const { memory } = this.#host;
    const { MaxPendingBytes, Overflow } = member.settings;
    for (let settled = false; ; ) {
      if (this.#lost !== undefined) return this.#lost(call);
      if (this.#open !== undefined && this.#writer.hasRoom(need)) return undefined;
      if (this.#open?.sent === true) {
        this.#expectedBytes = LARGEST_SHARED / 2; // it was full before the worker came to it
        this.#completeOpen();
      }
      if (this.#open !== undefined && isFull(this.#open)) this.#completeOpen();
      // a batch is complete, or its slabs are full: the worker may start on it, if that is worth a batch of its own
      if (this.#complete.length > 0 || (this.#open?.bytes ?? 0) >= WORTH_SENDING) this.#sendWithinTurn();
      const slab = memory.takeSlab(need, this.#open?.bytes ?? this.#expectedBytes, MaxPendingBytes);
      if (slab !== NO_SLAB) {
        this.#enterSlab(slab);
        return undefined;
      }
      if (!settled) {
        settled = true;
        this.#host.settleNow(); // whoever is told by that may call as well: begin anew
        continue;
      }
      if (Overflow === 'reject') return makeError('queue-full', call, this.dbPath);
      this.#hold(() => memory.hasRoom(need, MaxPendingBytes));
    }
  }

  #hold(until: () => boolean): void {
    this.observer.hold(() => this.#host.hold(until));
  }

  #enterSlab(slab: number): void {
    this.#open ??= new Batch(this.#nextNumber(), this, this.observer.began());
    this.#writer.enter(slab, this.#open);
  }

  #nextNumber(): number {
    this.#lastNumber = (this.#lastNumber + 1) | 0;
    return this.#lastNumber;
  }

  /** Nothing is added to the open batch any more; perhaps it was sent already. */
  #completeOpen(): void {
    const batch = this.#open;
    if (batch === undefined) return;
    this.#open = undefined;
    this.observer.completed(batch.watched);
    this.#writer.complete();
    if (!batch.sent) this.#complete.push(batch);
  }

  // ---- sending ------------------------------------------------------------------------------

  get waitsToBeSent(): boolean {
    return this.#complete.length > 0 || (this.#open !== undefined && !this.#open.sent);
  }

  /** Whether every write, sent or not, is committed (or has failed). */
  get finished(): boolean {
    return !this.waitsToBeSent && this.#underWay.isFinished;
  }

  /** Sends what may be sent, at the end of a turn or when there was progress. */
  trySend(): void {
    while (this.#maySend(MOST_SMALL)) if (!this.#sendNext()) return;
  }

  /** The same in mid-turn, where more is to come: only what is worth it. */
  #sendWithinTurn(): void {
    while (this.#maySend(0)) if (!this.#sendNext()) return;
  }

  #maySend(mostSmall: number): boolean {
    const next = this.#complete[0] ?? (this.#open?.sent === true ? undefined : this.#open);
    return next !== undefined && this.#underWay.mayFollow(next, mostSmall, this.#host.blocked);
  }

  #sendNext(): boolean {
    if (this.#complete.length === 0) this.#completeOpen();
    const [item] = this.#complete;
    if (item === undefined || !this.#send(item)) return false;
    this.#complete.shift();
    this.#wasSent(item);
    return true;
  }

  /** There is a new batch, with its first call: it is shared with the worker, or sent at the end of the turn. */
  #announce(batch: Batch): void {
    batch.announced = true;
    if (!this.#share(batch)) this.#host.wantsToSend(this);
  }

  /**
   * Sends a small batch at once, and goes on adding to it until the worker begins with it. So calls that
   * nobody waits for, one or a few a turn, cost no turn's end and gather over several turns.
   */
  #share(batch: Batch): boolean {
    const { length, loads } = this.#underWay;
    const mayShare = this.#complete.length === 0 && loads === 0 && length < MOST_SMALL;
    if (!mayShare || batch.bytes > LARGEST_SHARED || this.#host.blocked) return false;
    this.#writer.share();
    if (!this.#host.sendShared(this, batch)) {
      this.#completeOpen(); // no room in the ring: it waits like any other
      return false;
    }
    this.#wasSent(batch);
    if (this.#underWay.length >= SETTLE_TOGETHER) this.#host.settleSoon();
    return true;
  }

  #wasSent(item: Item): void {
    this.#underWay.add(item);
    this.#host.hasUnderWay(this);
  }

  #send(item: Item): boolean {
    if (item.kind === 'batch') return this.#host.sendBatch(this, item);
    if (item.kind === 'write') return this.#host.sendWrite(this, item);
    this.#host.sendLoad(this, item);
    return true;
  }

  /** Somebody waits for a batch, which may be under way already. */
  hurried(_: Batch): void {
    this.#host.hurry();
  }

  // ---- settling -----------------------------------------------------------------------------

  get memory(): PendingMemory {
    return this.#host.memory;
  }

  get sqliteVersion(): string {
    return this.#host.sqliteVersion;
  }

  causeOf(number: number, outcome: number): Error | undefined {
    return this.#host.causeOf(this.id, number, outcome);
  }

  /** Settles what the worker has finished; returns whether anything is still under way. */
  settle(): boolean {
    this.#underWay.takeFinished(this.#settleWrite);
    return this.#underWay.length > 0;
  }

  #settleWrite = (write: Batch | LargeWrite): void => {
    if (write.kind === 'write') {
      settleWrite(write, this.#host.takeOutcome(write), this);
      return;
    }
    if (write === this.#open) this.#completeOpen(); // the worker has sealed it
    settleBatch(write, this);
    if (write.urgent) this.#host.hurried();
  };

  /** The worker's answer to a load. */
  answer(load: Load, loaded: Loaded): void {
    if (this.#underWay.takeLoad(load)) settleLoad(load, loaded, this);
  }

  /** Settles once all that was called so far is finished; rejects with this provider's first failure. */
  async barrier(member: Member): Promise<void> {
    this.#completeOpen();
    const items = [...this.#underWay.items, ...this.#complete];
    const settled = items.map((item) => {
      if (item.kind === 'batch') item.hurry();
      return new Promise<Parameters<Watcher>[0]>((resolve) => item.watchers.push(resolve));
    });
    for (const failures of await Promise.all(settled)) {
      const failure = failures?.get(member);
      if (failure !== undefined) throw failure;
    }
  }

  // ---- after the loss of a worker -------------------------------------------------------------

  /** What the lost worker did not finish goes to the next one, in order. */
  resume(): void {
    this.settle();
    if (this.#open?.sent === true) this.#completeOpen();
    const again: Item[] = [];
    for (const item of this.#underWay.takeAll()) {
      item.sent = false;
      if (item.kind === 'write') this.#host.takeOutcome(item); // whatever the lost worker had noted
      if (item.kind === 'load' && item.passed) {
        // the state that it was to see is gone: better no answer than one of a later state
        const detail = 'the answer went down with the worker thread while this thread was blocked; call again';
        refuseLoad(item, makeError('worker-lost', operationNames[item.operation] ?? '', this.dbPath, detail), this);
      } else if (item.kind === 'write' && item.isGone) {
        refuseWrite(item, makeError('worker-lost', operationNames[item.operation] ?? '', this.dbPath), this);
      } else {
        again.push(item);
      }
    }
    this.#complete.unshift(...again);
    if (this.waitsToBeSent) this.#host.wantsToSend(this);
  }

  /** Refuses all that is pending and all that will come; what is finished already keeps its result. */
  giveUp(reason: GiveUpReason): void {
    this.#lost = reason;
    this.settle();
    this.#completeOpen();
    for (const item of [...this.#underWay.takeAll(), ...this.#complete.splice(0)]) {
      const error = reason(item.kind === 'batch' ? '' : (operationNames[item.operation] ?? ''));
      if (item.kind === 'load') {
        refuseLoad(item, error, this);
      } else if (item.kind === 'write') {
        this.#host.takeOutcome(item);
        refuseWrite(item, error, this);
      } else {
        refuseBatch(item, reason, this);
        if (item.urgent) this.#host.hurried();
      }
    }
  }
}

function isFull({ bytes, settlers }: Batch): boolean {
  return bytes >= (settlers.length > MANY_PROMISES ? FULL_BATCH_OF_MANY : FULL_BATCH);
}

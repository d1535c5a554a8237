/**
 * A lane gathers the calls of all providers on one database file into batches, keeps their order,
 * and settles their promises once the worker has published that a batch is finished.
 */
import { reached } from '../protocol/control.ts';
import {
  APPEND_PATCH,
  ENTRY_COLLIDED,
  ENTRY_HEADER,
  entryBytes,
  FIRST_ERROR,
  FIRST_READ,
  operationNames,
} from '../protocol/entries.ts';
import { errorCodes, makeError, type SDS_PersistenceError } from '../protocol/errors.ts';
import type { Attachment } from '../protocol/service.ts';
import {
  BATCH_COLLIDED,
  BATCH_FAILED,
  BATCH_FOREIGN_WRITER,
  INLINE_LIMIT,
  NO_SLAB,
  SLAB_DONE,
  SLAB_FLAGS,
  SLAB_HEADER,
  SLAB_NEXT,
  SLAB_USED,
} from '../protocol/slabs.ts';
import { resolveWith } from './answers.ts';
import { Batch, type Settler } from './batch.ts';
import type { Line } from './line.ts';
import type { Member } from './member.ts';
import { takeMark, takeOver } from './ownership.ts';
import { lengthOf } from './view.ts';
import { warnOfCollision, warnOfForeignWriter } from './warnings.ts';

/**
 * A batch that grew to this goes off by itself, so that a flood is committed, and its slabs come back, in
 * parts. A transaction of more than SQLite's page cache (2 MB) would have to write pages before its end.
 */
const FULL_BATCH = 1024 * 1024;
/** One with so many promises, mostly of many stores, may become larger: each store's place in the index is visited once a batch. */
const MANY_SETTLERS = 64;
const FULL_BATCH_OF_MANY = 4 * FULL_BATCH;
/**
 * A batch may go off before the end of the turn, or follow one under way, if it has at least this much: the
 * worker need not pause between. Smaller ones would cost more than they save, with many files above all.
 */
const WORTH_SENDING = 32 * 1024;
/** Bytes that are handed over but shorter than this are copied all the same: that is faster than a message. */
const WORTH_MOVING = 4096;

export class Lane {
  readonly id: number;
  readonly line: Line;
  readonly dbPath: string;
  /** `:memory:` and the like: gone with the worker. */
  readonly transient: boolean;
  readonly members = new Set<Member>();

  /** Batches sent and not settled, oldest first. */
  readonly #underWay: Batch[] = [];
  /** Batches settled whose slabs the worker may still read. */
  readonly #beingRead = new Set<Batch>();
  /** Batches complete but not sent, oldest first. */
  readonly #complete: Batch[] = [];
  /** The batch that calls are added to. */
  #open: Batch | undefined;
  /** Where the next entry goes, and where the current slab ends, as bytes of the arena. */
  #at = 0;
  #end = 0;
  #slabStart = 0;
  #lastNumber: number;
  /** Why the lane can't go on, if so: every call is refused with it. */
  #lost: ((call: string) => SDS_PersistenceError) | undefined;

  constructor(id: number, line: Line, dbPath: string, transient: boolean) {
    this.id = id;
    this.line = line;
    this.dbPath = dbPath;
    this.transient = transient;
    this.#lastNumber = Atomics.load(line.commitPoints, id);
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
    if (length > INLINE_LIMIT || handedOver) {
      // too long for a slab, or handed over: a promise of its own
      return this.#add(member, APPEND_PATCH, '', clock, patch, handedOver) as Promise<void>;
    }
    const need = entryBytes(0, length);
    let batch = this.#open;
    if (batch === undefined || batch.reads.length > 0 || this.#at + need > this.#end) {
      const refusal = this.#makeRoom(need, false, member, 'appendPatch');
      if (refusal !== undefined) return Promise.reject(refusal);
      batch = this.#open as Batch; // #makeRoom has opened one
    }
    if (member.run !== batch) this.#startRun(member, batch);
    const at = this.#at;
    this.#at = at + need;
    const { cells, bytes, doubles } = this.line.memory;
    const cell = at >> 2;
    cells[cell] = APPEND_PATCH;
    cells[cell + 1] = member.id;
    cells[cell + 2] = 0;
    cells[cell + 3] = length;
    cells[cell + 4] = member.runSettler;
    doubles[(at >> 3) + 3] = clock;
    bytes.set(patch, at + ENTRY_HEADER);
    return member.runPromise;
  }

  #startRun(member: Member, batch: Batch): void {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    member.run = batch;
    member.runSettler = batch.settlers.push({ member, operation: APPEND_PATCH, resolve, reject }) - 1;
    member.runPromise = promise as Promise<void>;
  }

  /** Adds any call; `takeOverBytes` hands the caller's buffer over although it is not marked. */
  add(member: Member, operation: number, key: string, clock: number, data?: Uint8Array, takeOverBytes = false) {
    const handedOver = data !== undefined && (takeMark(data) || takeOverBytes);
    return this.#add(member, operation, key, clock, data, handedOver);
  }

  #add(
    member: Member,
    operation: number,
    key: string,
    clock: number,
    data: Uint8Array | undefined,
    handedOver: boolean,
  ): Promise<unknown> {
    const call = operationNames[operation] ?? '';
    const keyLength = key === '' ? 0 : Buffer.byteLength(key);
    const length = data === undefined ? 0 : lengthOf(data);
    const attach = length > INLINE_LIMIT || (handedOver && length >= WORTH_MOVING);
    if (attach) {
      const refusal = this.#admit(length, member, call);
      if (refusal !== undefined) return Promise.reject(refusal);
    }
    const need = entryBytes(keyLength, attach ? 0 : length);
    const refusal = this.#makeRoom(need, operation >= FIRST_READ, member, call);
    if (refusal !== undefined) return Promise.reject(refusal);

    const batch = this.#open as Batch; // #makeRoom has opened one
    let dataLength = length;
    if (data !== undefined && attach) dataLength = this.#attach(batch, data, handedOver);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const settler = batch.settlers.push({ member, operation, resolve, reject }) - 1;
    if (operation >= FIRST_READ) batch.reads.push(settler);
    member.run = undefined; // calls of a provider keep their order, also if some fail

    const at = this.#at;
    this.#at = at + need;
    const { cells, bytes, doubles, text } = this.line.memory;
    const cell = at >> 2;
    cells[cell] = operation;
    cells[cell + 1] = member.id;
    cells[cell + 2] = keyLength;
    cells[cell + 3] = dataLength;
    cells[cell + 4] = settler;
    doubles[(at >> 3) + 3] = clock;
    if (keyLength > 0) text.write(key, at + ENTRY_HEADER, keyLength, 'utf8');
    if (data !== undefined && !attach) {
      bytes.set(data, at + ENTRY_HEADER + keyLength);
      if (handedOver) takeOver(data); // shorter than a message is worth: copied, and detached as announced
    }
    return promise;
  }

  /** Takes or copies large bytes; returns the entry's length field, which says where they are. */
  #attach(batch: Batch, data: Uint8Array, handedOver: boolean): number {
    const attachment: Attachment = (handedOver ? takeOver(data) : undefined) ?? this.#copy(data);
    batch.attachmentBytes += attachment.length;
    this.line.memory.pendingBytes += attachment.length;
    return -batch.attachments.push(attachment);
  }

  /** Copies into shared memory, so that a lost worker does not lose the bytes. */
  #copy(data: Uint8Array): Attachment {
    const length = lengthOf(data);
    const buffer = this.line.memory.blocks.take(length);
    new Uint8Array(buffer, 0, length).set(data);
    return { buffer, start: 0, length };
  }

  /** Waits until so many bytes may be added beside the slabs. One call that is larger than all goes alone. */
  #admit(length: number, member: Member, call: string): SDS_PersistenceError | undefined {
    if (this.#fits(length, member)) return undefined;
    if (member.settings.Overflow === 'reject') return makeError('queue-full', call, this.dbPath);
    this.line.hold(() => this.#fits(length, member));
    return this.#lost?.(call);
  }

  #fits(length: number, member: Member): boolean {
    const { pendingBytes } = this.line.memory;
    return pendingBytes === 0 || pendingBytes + length <= member.settings.MaxPendingBytes;
  }

  /**
   * Sees to it that there is an open batch with room for an entry. Sends what is complete, and holds
   * the caller, or refuses, while too much is pending.
   */
  #makeRoom(need: number, read: boolean, member: Member, call: string): SDS_PersistenceError | undefined {
    const { line } = this;
    for (;;) {
      if (this.#lost !== undefined) return this.#lost(call);
      const open = this.#open;
      if (open !== undefined && ((!read && open.reads.length > 0) || isFull(open))) this.#completeOpen();
      if (this.#open !== undefined && this.#at + need <= this.#end) return undefined;
      // a batch is complete, or its slabs are full: the worker may start on it, if that is worth a batch of its own
      if (this.#complete.length > 0 || (this.#open?.bytes ?? 0) >= WORTH_SENDING) this.trySend();
      const slab = line.memory.takeSlab(need, this.#open?.slabBytes ?? 0, member.settings.MaxPendingBytes);
      if (slab !== NO_SLAB) {
        this.#enterSlab(slab);
        return undefined;
      }
      if (member.settings.Overflow === 'reject') return makeError('queue-full', call, this.dbPath);
      line.hold(() => line.memory.hasRoom(need, member.settings.MaxPendingBytes));
    }
  }

  #enterSlab(slab: number): void {
    const { line } = this;
    let batch = this.#open;
    if (batch === undefined) {
      this.#lastNumber = (this.#lastNumber + 1) | 0;
      batch = new Batch(this.#lastNumber);
      this.#open = batch;
      line.wantsToSend(this);
    } else {
      this.#leaveSlab(slab);
    }
    const start = line.memory.startOf(slab);
    const size = line.memory.sizeOf(slab);
    batch.slabs.push(slab);
    batch.slabBytes += size;
    line.memory.cells[(start >> 2) + SLAB_FLAGS] = 0;
    line.memory.cells[(start >> 2) + SLAB_DONE] = 0;
    this.#slabStart = start;
    this.#at = start + SLAB_HEADER;
    this.#end = start + size;
  }

  #leaveSlab(next: number): void {
    const cell = this.#slabStart >> 2;
    this.line.memory.cells[cell + SLAB_USED] = this.#at - this.#slabStart;
    this.line.memory.cells[cell + SLAB_NEXT] = next;
  }

  #completeOpen(): void {
    if (this.#open === undefined) return;
    this.#leaveSlab(NO_SLAB);
    this.#complete.push(this.#open);
    this.#open = undefined;
    this.#at = this.#end = 0;
  }

  // ---- sending ------------------------------------------------------------------------------

  get waitsToBeSent(): boolean {
    return this.#open !== undefined || this.#complete.length > 0;
  }

  /** Whether every batch, sent or not, is committed (or has failed). */
  get finished(): boolean {
    return !this.waitsToBeSent && this.#underWay.every((batch) => this.#isFinished(batch));
  }

  #isFinished(batch: Batch): boolean {
    return reached(Atomics.load(this.line.commitPoints, this.id), batch.number);
  }

  /** Sends as many batches as may be under way at once. */
  trySend(): void {
    while (this.waitsToBeSent && this.#maySend()) {
      if (this.#complete.length === 0) this.#completeOpen();
      const batch = this.#complete.shift();
      if (batch !== undefined) this.#send(batch);
    }
  }

  #maySend(): boolean {
    let unfinished = 0;
    for (const batch of this.#underWay) {
      if (batch.sent && this.#isFinished(batch)) {
        if (batch.reads.length === 0) continue;
        // its reads may have to be asked again, so the state must stay; but a blocked thread gets no answers
        if (!this.line.blocked) return false;
        batch.passed = true;
        continue;
      }
      if (batch.reads.length > 0) return false;
      unfinished++;
    }
    if (unfinished === 0) return true;
    const next = this.#complete[0] ?? this.#open;
    return unfinished === 1 && (next?.bytes ?? 0) >= WORTH_SENDING;
  }

  #send(batch: Batch): void {
    batch.sent = true;
    const messagesUnderWay = this.#underWay.some((earlier) => earlier.byMessage && !this.#isFinished(earlier));
    this.#underWay.push(batch);
    this.line.hasUnderWay(this);
    const plain = batch.reads.length === 0 && batch.attachments.length === 0;
    if (plain && !messagesUnderWay && this.line.allAttached(this) && this.line.sendByRing(this, batch)) return;
    this.#sendByMessage(batch, false);
  }

  #sendByMessage(batch: Batch, readsOnly: boolean): void {
    batch.byMessage = true;
    const attachments: (Attachment | undefined)[] = [];
    const moved: ArrayBuffer[] = [];
    for (const attachment of batch.attachments) {
      const { buffer } = attachment;
      // what was handed over to a worker that was lost is gone; a detached buffer would make sending fail
      const gone = buffer instanceof ArrayBuffer && buffer.detached;
      attachments.push(gone ? undefined : attachment);
      if (buffer instanceof ArrayBuffer && !gone) moved.push(buffer);
    }
    const message = { lane: this.id, batch: batch.number, firstSlab: batch.firstSlab, attachments, readsOnly };
    batch.beingRead = readsOnly;
    this.line.sendByMessage(message, moved, (answers) => {
      this.#wasRead(batch);
      batch.answers ??= new Map(answers.map((answer) => [answer.settler, answer]));
    });
  }

  // ---- settling -----------------------------------------------------------------------------

  /** Settles what the worker has finished; returns whether anything is still under way. */
  settle(): boolean {
    for (let i = 0; i < this.#underWay.length; ) {
      const batch = this.#underWay[i] as Batch; // i is below the length
      if (!this.#isFinished(batch)) break;
      if (batch.reads.length > 0 && batch.answers === undefined) {
        // no answer arrives while the thread is blocked, perhaps until there is room: so make it
        if (this.line.blocked && batch.beingRead) this.#refuseReads(batch);
        else {
          if (this.line.blocked) {
            this.#release(batch);
            batch.passed = true;
          }
          i++;
          continue;
        }
      }
      this.#underWay.splice(i, 1);
      this.#settleBatch(batch);
    }
    return this.#underWay.length > 0;
  }

  #settleBatch(batch: Batch): void {
    this.#release(batch);
    const { failed } = batch;
    // by index: this runs for each promise, and iterators of pairs are garbage that holds up the event loop
    for (let index = 0; index < batch.settlers.length; index++) {
      const settler = batch.settlers[index] as Settler; // index is below the length
      const result = settler.operation >= FIRST_READ ? batch.answers?.get(index) : undefined;
      const error = failed?.get(index);
      if (error !== undefined) settler.reject(error);
      else if (result === undefined && settler.operation >= FIRST_READ) settler.reject(this.#noAnswer(settler));
      else if (result === undefined) settler.resolve(undefined);
      else resolveWith(result, settler.resolve);
    }
    for (const watcher of batch.watchers) watcher(batch);
  }

  /** The errors by settler; nearly always there are none and nothing is looked at. */
  #collectFailures(batch: Batch): Map<number, SDS_PersistenceError> | undefined {
    const { line } = this;
    const flags = line.memory.flagsOf(batch.firstSlab);
    if (flags === 0) return undefined;
    if (flags & BATCH_FOREIGN_WRITER) warnOfForeignWriter(this.dbPath, line.sqliteVersion);
    if ((flags & (BATCH_FAILED | BATCH_COLLIDED)) === 0) return undefined;
    const failed = new Map<number, SDS_PersistenceError>();
    for (const at of this.#entriesOf(batch)) {
      const cell = at >> 2;
      const word = line.memory.cell(cell);
      const index = line.memory.cell(cell + 4);
      const settler = batch.settlers[index] as Settler; // each entry was written with its settler
      if ((word >> 16) & ENTRY_COLLIDED) warnOfCollision(settler.member);
      const outcome = (word >> 8) & 0xff;
      if (outcome < FIRST_ERROR || failed.has(index)) continue;
      const code = errorCodes[outcome - FIRST_ERROR] ?? 'io-error';
      const call = operationNames[settler.operation] ?? '';
      const error = makeError(
        code,
        call,
        this.dbPath,
        undefined,
        line.errorBoard.causeOf(this.id, batch.number, outcome),
      );
      failed.set(index, error);
      batch.failures ??= new Map();
      if (batch.failures.has(settler.member)) continue;
      batch.failures.set(settler.member, error);
      settler.member.failures++;
    }
    return failed;
  }

  /** Where each entry of a complete batch starts in the arena. */
  *#entriesOf(batch: Batch): Generator<number> {
    const { line } = this;
    for (const slab of batch.slabs) {
      const start = line.memory.startOf(slab);
      const end = start + line.memory.cell((start >> 2) + SLAB_USED);
      for (let at = start + SLAB_HEADER; at < end; ) {
        yield at;
        const keyLength = line.memory.cell((at >> 2) + 2);
        const dataLength = line.memory.cell((at >> 2) + 3);
        at += entryBytes(keyLength, Math.max(dataLength, 0));
      }
    }
  }

  /** Gives back a batch's memory; of a finished one, after a look at what it says of failures. */
  #release(batch: Batch): void {
    if (batch.released) return;
    batch.released = true;
    const { line } = this;
    if (batch.beingRead) {
      // refused, but the worker may still look at it: not counted any more, and given back with its answer
      batch.failed ??= this.#collectFailures(batch);
      line.memory.pendingBytes -= batch.bytes;
      this.#beingRead.add(batch);
      return;
    }
    line.memory.pendingBytes -= batch.attachmentBytes;
    const finished = this.#isFinished(batch);
    if (finished) batch.failed = this.#collectFailures(batch);
    for (const { buffer } of batch.attachments) {
      if (!(buffer instanceof SharedArrayBuffer)) continue;
      if (finished) line.memory.blocks.giveBack(buffer);
      else line.memory.blocks.abandon(buffer);
    }
    for (const slab of batch.slabs) line.memory.giveBackSlab(slab);
  }

  /** The worker is through with a batch whose reads were asked again, or is gone. */
  #wasRead(batch: Batch): void {
    batch.beingRead = false;
    if (!this.#beingRead.delete(batch)) return;
    this.line.memory.pendingBytes += batch.bytes;
    batch.released = false;
    this.#release(batch);
  }

  /** Settles once all that was called so far is finished; rejects with this provider's first failure. */
  async barrier(member: Member): Promise<void> {
    const batches = [...this.#underWay, ...this.#complete];
    if (this.#open !== undefined) batches.push(this.#open);
    const settled = batches.map((batch) => new Promise<Batch>((resolve) => batch.watchers.push(resolve)));
    for (const batch of await Promise.all(settled)) {
      const failure = batch.failures?.get(member);
      if (failure !== undefined) throw failure;
    }
  }

  // ---- after the loss of a worker -------------------------------------------------------------

  /** Hands the new worker what the old one did not finish, in order. */
  resume(): void {
    for (const batch of [...this.#beingRead]) this.#wasRead(batch);
    for (const batch of [...this.#underWay]) {
      batch.beingRead = false;
      if (this.#isFinished(batch)) {
        if (batch.reads.length === 0 || batch.answers !== undefined) continue;
        if (batch.passed) this.#refuseReads(batch);
        else this.#sendByMessage(batch, true);
        continue;
      }
      this.#forgetMoved(batch);
      this.#sendByMessage(batch, false);
    }
  }

  /** The state that these reads were to see is gone: better no answer than one of a later state. */
  #refuseReads(batch: Batch): void {
    this.#release(batch);
    batch.answers = new Map();
    batch.failed ??= new Map();
    for (const index of batch.reads) {
      const settler = batch.settlers[index] as Settler; // reads are the indices of their settlers
      if (!batch.failed.has(index)) batch.failed.set(index, this.#noAnswer(settler));
    }
  }

  #noAnswer({ operation }: Settler): SDS_PersistenceError {
    const detail = 'the answer went down with the worker thread while this thread was blocked; call again';
    return makeError('worker-lost', operationNames[operation] ?? '', this.dbPath, detail);
  }

  /** What was handed over went down with the worker: those calls fail, the others of the batch do not. */
  #forgetMoved(batch: Batch): void {
    const { line } = this;
    const lost = FIRST_ERROR + errorCodes.indexOf('worker-lost');
    // one by one, these calls were committed already
    const done = line.memory.cell((line.memory.startOf(batch.firstSlab) >> 2) + SLAB_DONE);
    for (const at of this.#entriesOf(batch)) {
      const dataLength = line.memory.cell((at >> 2) + 3);
      if (dataLength >= 0 || line.memory.cell((at >> 2) + 4) < done) continue;
      const attachment = batch.attachments[-1 - dataLength];
      if (attachment === undefined || !(attachment.buffer instanceof ArrayBuffer)) continue;
      if (!attachment.buffer.detached) continue;
      if (line.memory.outcomeAt(at) === 0) line.memory.setOutcome(at, lost);
      line.memory.setFlag(batch.firstSlab, BATCH_FAILED);
    }
  }

  /** Refuses all that is pending and all that will come; what is finished already keeps its result. */
  giveUp(reason: (call: string) => SDS_PersistenceError): void {
    this.#lost = reason;
    this.settle();
    this.#completeOpen();
    for (const batch of [...this.#underWay.splice(0), ...this.#complete.splice(0)]) {
      const committed = batch.sent && this.#isFinished(batch);
      this.#release(batch);
      batch.failures = new Map();
      for (const [index, { member, operation, resolve, reject }] of batch.settlers.entries()) {
        const error = batch.failed?.get(index) ?? reason(operationNames[operation] ?? '');
        if (committed && operation < FIRST_READ && batch.failed?.has(index) !== true) {
          resolve(undefined);
          continue;
        }
        if (!batch.failures.has(member)) batch.failures.set(member, error);
        reject(error);
      }
      for (const watcher of batch.watchers) watcher(batch);
    }
  }
}

function isFull({ bytes, settlers }: Batch): boolean {
  return bytes >= (settlers.length > MANY_SETTLERS ? FULL_BATCH_OF_MANY : FULL_BATCH);
}

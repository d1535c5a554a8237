/** All that is called on one file, in order: sent when it may be, settled when finished, else sent again. */
import { types } from 'node:util';
import { reached } from '../../protocol/control.ts';
import { IN_PARCEL } from '../../protocol/entries.ts';
import {
  errorCodes,
  makeError,
  type SDS_PersistenceError,
  type SDS_PersistenceErrorCode,
} from '../../protocol/errors.ts';
import { Fifo } from '../../protocol/fifo.ts';
import type { Parcel } from '../../protocol/parcel.ts';
import type { Loaded, Location } from '../../protocol/service.ts';
import { BATCH_LOST, INLINE_LIMIT, LOST_CODE_SHIFT, SLAB_FLAGS } from '../../protocol/slabs.ts';
import { Promise, performance, soon } from '../../protocol/surroundings.ts';
import { begin } from '../observe/channels.ts';
import { FileObserver } from '../observe/file-observer.ts';
import { takeMark } from '../transfer.ts';
import { lengthOf } from '../view.ts';
import type { Batch } from './batch.ts';
import type { Failed } from './failures.ts';
import { InFlight, type Item, type Load, MOST_SMALL, WORTH_SENDING } from './in-flight.ts';
import type { LargeBytes } from './large-bytes.ts';
import type { LoadCall, Member, WriteCall } from './member.ts';
import { type BatchHost, LARGEST_SHARED, OpenBatch, type OpenBatchOwner } from './open-batch.ts';
import { type GiveUpReason, refuse, type Settled, settleBatch, settleLoad } from './settling.ts';
import { Store } from './store.ts';

const ANSWER_GONE = 'the answer went down with the worker thread while this thread was blocked; call again';

/** So many loads cross in one call. */
const MOST_LOADS = 64;

/** What nobody waits for is settled when so many batches are under way: many at once cost less than each by itself. */
const SETTLE_TOGETHER = 16;

/** What a queue needs of its worker. */
export interface QueueHost extends BatchHost {
  /** Whether this thread is blocked: then no answer can arrive. */
  readonly blocked: boolean;
  /** There is something to send, at the end of the current job. */
  wantsToSend(queue: FileQueue): void;
  hasInFlight(queue: FileQueue): void;
  /** Whether there is a thread to send to. */
  readonly canSend: boolean;
  /** Takes what it needs to send a batch: a cell in the ring; false if there is none now. */
  reserve(queue: FileQueue, batch: Batch): boolean;
  /** Sends a batch that is registered as under way; or loads, in one call. */
  send(queue: FileQueue, batch: Batch): void;
  sendLoads(queue: FileQueue, loads: readonly Load[]): void;
  /** A batch was put into the ring within the turn: the worker may look when it does so by itself. */
  wasShared(isMuch: boolean): void;
}

interface Barrier {
  readonly place: number;
  end(): void;
}

export class FileQueue implements OpenBatchOwner, Settled {
  readonly id: number;
  readonly location: Location;
  readonly members = new Set<Member>();
  readonly #stores = new Map<string, Store>();
  readonly observer = new FileObserver();
  /** Whether it is among those of its dispatcher that have something to send, or in flight. */
  isToSend = false;
  isInFlight = false;
  /** How many batches and loads the worker has finished. */
  finishedItems = 0;
  heard: number;
  /** Batches of which the program hears at the end of the current job. */
  #aboutToBeHeard = 0;
  /** The last batch in which a call has failed, as long as something may be pending that was called before the program heard of that. */
  #lastFailed: number | undefined;
  readonly host: QueueHost;
  readonly #openBatch: OpenBatch;
  /** Complete but not sent, oldest first. */
  readonly #waiting = new Fifo<Item>();
  readonly #inFlight: InFlight;
  #lastPlace = 0;
  /** The place of the last load that went down with a thread. */
  #lostUpTo = 0;
  /** Those that wait until all up to a place is finished, in that order. */
  readonly #barriers = new Fifo<Barrier>();
  /** Why nothing will go on, if so: every call is refused with it. */
  #lost: GiveUpReason | undefined;

  constructor(id: number, host: QueueHost, location: Location) {
    this.id = id;
    this.host = host;
    this.location = location;
    this.#inFlight = new InFlight(({ number }) => reached(this.commitPoint, number));
    this.heard = this.commitPoint;
    this.#openBatch = new OpenBatch(this, host, this.commitPoint);
  }

  /** The number of the last batch that the worker has finished. */
  get commitPoint(): number {
    return Atomics.load(this.host.channel.commitPoints, this.id);
  }

  get dbPath(): string {
    return this.location.path;
  }

  /** Whether it is in memory, and was opened there. */
  get livesInThread(): boolean {
    return this.location.transient && [...this.members].some(({ wasOwned }) => wasOwned);
  }

  refusalOf(call: string): SDS_PersistenceError | undefined {
    return this.#lost?.(call);
  }

  join(member: Member): void {
    this.members.add(member);
    member.store.providers++;
  }

  /** What is called from now on belongs to the next batch. */
  completeBatch(): void {
    this.#openBatch.complete();
  }

  leave(member: Member): void {
    this.members.delete(member);
    if (--member.store.providers === 0) this.#stores.delete(member.storeId);
  }

  store(id: string): Store {
    const store = this.#stores.get(id) ?? new Store();
    this.#stores.set(id, store);
    return store;
  }

  appendPatch(member: Member, patch: Uint8Array, clock: number): Promise<void> {
    const length = lengthOf(patch);
    const handedOver = takeMark(patch);
    if (length <= INLINE_LIMIT) return this.#openBatch.appendPatch(member, patch, length, clock, handedOver);
    const call = { member, operation: 'appendPatch', key: '', clock } as const;
    return this.#openBatch.addWrite(call, patch, length, handedOver) as Promise<void>;
  }

  /** A write that is no patch; `takesOver` hands the caller's buffer over although it is not marked. */
  addWrite(call: WriteCall, data?: Uint8Array | Parcel, takesOver = false): Promise<unknown> {
    if (data === undefined) return this.#openBatch.addWrite(call, data, 0, false);
    if (!types.isUint8Array(data)) return this.#openBatch.addWrite(call, data, data.length, true);
    return this.#openBatch.addWrite(call, data, lengthOf(data), takeMark(data) || takesOver);
  }

  addLoad(call: LoadCall): Promise<unknown> {
    const refusal = this.refusalOf(call.operation);
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#openBatch.complete();
    const place = ++this.#lastPlace;
    const answer = Promise.withResolvers<unknown>();
    const load: Load = { kind: 'load', call, place, askedAt: performance.now(), answer, trace: undefined };
    this.#waiting.push(load);
    this.wantsToSend();
    load.trace = begin('load', () => ({ Path: this.dbPath, Call: call.operation }));
    return answer.promise;
  }

  completed(batch: Batch): void {
    batch.place = ++this.#lastPlace;
    this.#waiting.push(batch);
    if (!batch.announced) this.wantsToSend(); // it has no call, because that threw
  }

  // ---- sending ------------------------------------------------------------------------------

  get waitsToBeSent(): boolean {
    return this.#next !== undefined;
  }

  /** What is to be sent next; it may be the open batch. */
  get #next(): Item | undefined {
    return this.#waiting.first ?? this.#openBatch.unsent;
  }

  /** Whether every write, sent or not, is committed (or has failed). */
  get finished(): boolean {
    return !this.waitsToBeSent && this.#inFlight.isFinished;
  }

  wantsToSend(): void {
    this.host.wantsToSend(this);
  }

  /** Sends what may be sent, at the end of a turn or when there was progress. */
  trySend(): void {
    while (this.#maySend(MOST_SMALL)) if (!this.#sendNext()) return;
  }

  /** The same in mid-turn, where more is to come: only what is worth a batch of its own; what takes a message waits for the turn's end. */
  sendWithinTurn(): void {
    if (this.#waiting.length === 0 && (this.#openBatch.unsent?.bytes ?? 0) < WORTH_SENDING) return;
    while (this.#takesNoMessage && this.#maySend(0)) if (!this.#sendNext()) return;
  }

  get #takesNoMessage(): boolean {
    const next = this.#next;
    return next?.kind === 'batch' && !next.crossesByCall;
  }

  #maySend(mostSmall: number): boolean {
    const next = this.#next;
    return next !== undefined && this.#inFlight.mayFollow(next, mostSmall, this.host.blocked);
  }

  #sendNext(): boolean {
    if (this.#waiting.length === 0) this.#openBatch.complete();
    const { first: item } = this.#waiting;
    if (item?.kind === 'load') return this.#sendLoads();
    if (item === undefined || !this.host.reserve(this, item)) return false;
    // registered before it is sent: what can't be posted is refused at once
    this.#waiting.shift();
    this.#wasSent(item);
    this.host.send(this, item);
    return true;
  }

  /** Those that were called one after the other go in one call: by itself, each would cost more than the reading. */
  #sendLoads(): boolean {
    if (!this.host.canSend) return false;
    const loads: Load[] = [];
    for (;;) {
      const { first: item } = this.#waiting;
      if (item?.kind !== 'load' || loads.length === MOST_LOADS) break;
      const isAlone = this.#crossesAlone(item);
      if (isAlone && loads.length > 0) break;
      this.#waiting.shift();
      this.#wasSent(item);
      loads.push(item);
      if (isAlone) break;
    }
    this.host.sendLoads(this, loads);
    return true;
  }

  /** One that may be what a thread was lost by takes none before it down again; and for a whole store that is to be merged nobody else waits. */
  #crossesAlone({ place, call }: Load): boolean {
    return place <= this.#lostUpTo || call.key === IN_PARCEL;
  }

  /** Sends a small batch at once, and adds to it until the worker begins: what nobody waits for costs no turn's end. */
  share(batch: Batch): boolean {
    const { batches, hasLoads } = this.#inFlight;
    const mayShare = this.#waiting.length === 0 && !hasLoads && batches.length < MOST_SMALL;
    if (!mayShare || batch.bytes > LARGEST_SHARED) return false;
    this.#openBatch.share();
    if (!this.host.reserve(this, batch)) {
      this.#openBatch.complete(); // no room in the ring: it waits like any other
      return false;
    }
    batch.place = ++this.#lastPlace;
    this.#wasSent(batch);
    this.host.wasShared(batches.length >= SETTLE_TOGETHER);
    return true;
  }

  #wasSent(item: Item): void {
    this.#inFlight.add(item);
    this.host.hasInFlight(this);
  }

  // ---- settling -----------------------------------------------------------------------------

  /** Settles what the worker has finished; returns whether anything is still under way. */
  settle(): boolean {
    this.#inFlight.takeFinished(this.#settleBatch);
    this.#endBarriers();
    return !this.#inFlight.isEmpty;
  }

  #settleBatch = (batch: Batch): void => {
    this.finishedItems++;
    if (this.#openBatch.is(batch)) this.#openBatch.complete(); // the worker has sealed it
    settleBatch(batch, this);
  };

  isTold({ number }: Batch, hasFailed: boolean): void {
    if (hasFailed) this.#lastFailed = number;
    if (!hasFailed && this.#aboutToBeHeard === 0) {
      this.#isHeard(number);
      return;
    }
    this.#aboutToBeHeard++;
    void soon(() => {
      this.#aboutToBeHeard--;
      this.#isHeard(number);
    });
  }

  #isHeard(number: number): void {
    this.heard = number;
    if (this.#lastFailed === undefined) return;
    const knownToAll = this.#inFlight.batches[0]?.heard ?? (this.waitsToBeSent ? undefined : this.heard);
    if (knownToAll === undefined || !reached(knownToAll, this.#lastFailed)) return;
    this.#lastFailed = undefined;
    for (const { failedSaves } of this.members) failedSaves.forgetHeard(knownToAll);
  }

  /** Whether a write that was called after them went off before their answer: asked again, they would see it. */
  arePassed(loads: readonly Load[]): boolean {
    return loads.some((load) => this.#inFlight.isPassed(load));
  }

  answer(loads: readonly Load[], answers: readonly Loaded[]): void {
    // all of them first: foreign code may wait for something as it is told of one, and the worker be lost meanwhile
    for (const load of loads) this.#inFlight.answered(load);
    this.finishedItems += loads.length;
    for (const [index, load] of loads.entries()) void settleLoad(load, answers[index] as Loaded, this);
  }

  /** A large write could not be sent to the worker: it goes off once more, without its bytes, before what is called behind it. */
  wasRefused(batch: Batch, large: LargeBytes, error: unknown): void {
    this.#inFlight.takeBack(batch);
    this.#waiting.putBack([batch]);
    this.#losesBytes(batch, large, 'io-error', undefined, error);
  }

  /** Without its bytes, it fails in its place; the worker hears of that, because what is called behind it may rely on it. */
  #losesBytes(batch: Batch, large: LargeBytes, code: SDS_PersistenceErrorCode, detail?: string, error?: unknown): void {
    const { firstSlab, settlers } = batch;
    large.lost = makeError(code, settlers[0]?.call.operation ?? '', this.dbPath, detail, error);
    const { arena } = this.host.memory;
    const flagsAt = (firstSlab >> 2) + SLAB_FLAGS;
    arena.cells[flagsAt] = arena.cell(flagsAt) | BATCH_LOST | (errorCodes.indexOf(code) << LOST_CODE_SHIFT);
    batch.waitedFor(); // no call keeps the process alive for it any more
  }

  /** Whether somebody waits for all that was called until now, or some time ago. */
  get isWaitedFor(): boolean {
    return this.#barriers.length > 0;
  }

  /** Resolves once all that was called so far, up to that place, is finished; with what had failed of this provider before. */
  async barrier(member: Member): Promise<{ place: number; before: Failed }> {
    this.#openBatch.complete();
    const ended = Promise.withResolvers<void>();
    const place = this.#lastPlace;
    const { last: before } = member.failures;
    if (this.waitsToBeSent || !this.#inFlight.isEmpty) {
      this.#barriers.push({ place, end: ended.resolve });
      this.host.waitedFor();
      await ended.promise;
    }
    return { place, before };
  }

  /** By place, because some end before their turn: writes of a blocked thread, before the loads in front. */
  #endBarriers(): void {
    const { place: ofWaiting = Number.POSITIVE_INFINITY } = this.#waiting.first ?? {};
    const oldest = Math.min(this.#inFlight.oldestPlace, ofWaiting);
    for (;;) {
      const { first } = this.#barriers;
      if (first === undefined || first.place >= oldest) return;
      this.#barriers.shift();
      this.host.noLongerWaitedFor();
      first.end();
    }
  }

  // ---- after the loss of a worker -------------------------------------------------------------

  /** What the lost worker did not finish, which is all that is left once it is settled, goes to the next one, in order. */
  resume(): void {
    this.#openBatch.complete(); // it was shared with the worker that is gone
    const again: Item[] = [];
    const passed: Load[] = [];
    for (const item of this.#inFlight.takeAll()) {
      if (item.kind === 'batch') {
        item.sent = false;
        if (item.large !== undefined) this.#isSentAgain(item, item.large);
      } else if (this.#inFlight.isPassed(item)) {
        passed.push(item);
        continue;
      }
      if (item.kind === 'load') this.#lostUpTo = item.place;
      again.push(item);
    }
    this.#waiting.putBack(again);
    // the state that they were to see is gone: better no answer than one of a later state
    for (const load of passed) refuse(load, (call) => makeError('worker-lost', call, this.dbPath, ANSWER_GONE), this);
    this.wantsToSend();
  }

  #isSentAgain(batch: Batch, large: LargeBytes): void {
    // a thread that has ended takes nothing, and says nothing of it: what can be seen to be there still was not taken
    const { detached = true } = large.data.buffer as { detached?: boolean };
    if (large.lost !== undefined || large.isShared || !detached) return;
    // in a file a commit is published as it is made; a server may have committed what nobody heard of
    const outcome =
      this.location.server === undefined ? 'nothing was stored: call again' : 'the call may be stored or not';
    const detail = `the bytes that were handed over went down with the worker thread; ${outcome}`;
    this.#losesBytes(batch, large, 'worker-lost', detail);
  }

  /** Refuses all that is pending, and perhaps all that will come; what is finished is settled by then. */
  refuseAll(reason: GiveUpReason, isForGood: boolean): void {
    if (isForGood) this.#lost = reason;
    this.#openBatch.complete();
    for (const item of [...this.#inFlight.takeAll(), ...this.#waiting.takeAll()]) refuse(item, reason, this);
    this.#endBarriers();
  }
}

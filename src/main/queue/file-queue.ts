/**
 * All that is called on one database file, in order: what was gathered is sent when it may be, settled once
 * the worker has published that it is finished, and sent again if a worker was lost.
 */
import { reached } from '../../protocol/control.ts';
import { operationNames } from '../../protocol/entries.ts';
import { makeError, type SDS_PersistenceError } from '../../protocol/errors.ts';
import type { Loaded } from '../../protocol/service.ts';
import { Promise } from '../../protocol/surroundings.ts';
import type { Location } from '../location.ts';
import type { PendingMemory } from '../memory/pending-memory.ts';
import { FileObserver } from '../observe/file-observer.ts';
import type { Awaited } from './acknowledgement.ts';
import type { Room } from './backpressure.ts';
import type { Batch } from './batch.ts';
import { InFlight, type Item, MOST_SMALL } from './in-flight.ts';
import type { LargeWrite } from './large-write.ts';
import type { Load } from './load.ts';
import type { Member, Watcher } from './member.ts';
import { Gathering, type GatheringOwner, LARGEST_SHARED } from './open-batch.ts';
import {
  type Findings,
  refuseBatch,
  refuseLoad,
  refuseWrite,
  settleBatch,
  settleLoad,
  settleWrite,
} from './settling.ts';
import { Store } from './store.ts';

/** What nobody waits for is settled when so many batches are under way: many at once cost less than each by itself. */
const SETTLE_TOGETHER = 16;

type GiveUpReason = (call: string) => SDS_PersistenceError;

/** What a queue needs of its worker. */
export interface QueueHost extends Room, Awaited {
  readonly commitPoints: Int32Array;
  readonly sqliteVersion: string;
  /** Whether this thread is blocked: then no answer can arrive. */
  readonly blocked: boolean;
  /** There is something to send, at the end of the current job. */
  wantsToSend(queue: FileQueue): void;
  hasInFlight(queue: FileQueue): void;
  /** Takes what it needs to send a thing: a batch's cell in the ring, a write's slot; false if there is none now. */
  reserve(queue: FileQueue, item: Item): boolean;
  /** Sends a thing that is registered as under way. */
  send(queue: FileQueue, item: Item): void;
  /** A batch was put into the ring within the turn: the worker need not look before it does so by itself. */
  wasShared(): void;
  /** There is much to settle. */
  settleSoon(): void;
  /** What the worker noted of a write that is finished; its slot may be used anew. */
  takeOutcome(write: LargeWrite): number;
  causeOf(file: number, number: number, settler: number, outcome: number): Error | undefined;
  /** Somebody has waited for a batch that is settled. */
  noLongerWaitedFor(): void;
}

export class FileQueue implements Findings, GatheringOwner {
  readonly id: number;
  readonly location: Location;
  readonly members = new Set<Member>();
  readonly #stores = new Map<string, Store>();
  readonly observer: FileObserver;
  /** Whether it is among those of its dispatcher that have something to send, or in flight. */
  isToSend = false;
  isInFlight = false;
  /** How many batches, large writes and loads the worker has finished. */
  finishedItems = 0;
  readonly #host: QueueHost;
  /** Where calls are added. */
  readonly gathering: Gathering;
  readonly #inFlight: InFlight;
  /** Why it can't go on, if so: every call is refused with it. */
  #lost: GiveUpReason | undefined;

  constructor(id: number, host: QueueHost, location: Location) {
    this.id = id;
    this.#host = host;
    this.location = location;
    this.observer = new FileObserver(location.path);
    this.#inFlight = new InFlight(({ number }) => reached(Atomics.load(host.commitPoints, id), number));
    this.gathering = new Gathering(this, host, Atomics.load(host.commitPoints, id));
  }

  get dbPath(): string {
    return this.location.path;
  }

  /** `:memory:` and the like: gone with the worker. */
  get transient(): boolean {
    return this.location.transient;
  }

  /** Why nothing can be called any more, if so. */
  refusalOf(call: string): SDS_PersistenceError | undefined {
    return this.#lost?.(call);
  }

  /**
   * A provider comes. A batch that is shared already names the calls that the worker has to handle before it, and the one
   * that makes this provider known is none of them: so what it calls belongs to the next one.
   */
  join(member: Member): void {
    this.gathering.completeOpen();
    this.members.add(member);
    member.store.providers++;
  }

  leave(member: Member): void {
    this.members.delete(member);
    if (--member.store.providers === 0) this.#stores.delete(member.storeId);
  }

  /** A store of this file, the same for all its providers. */
  store(id: string): Store {
    let store = this.#stores.get(id);
    if (store === undefined) {
      store = new Store();
      this.#stores.set(id, store);
    }
    return store;
  }

  // ---- sending ------------------------------------------------------------------------------

  get waitsToBeSent(): boolean {
    return this.gathering.next !== undefined;
  }

  /** Whether every write, sent or not, is committed (or has failed). */
  get finished(): boolean {
    return !this.waitsToBeSent && this.#inFlight.isFinished;
  }

  /** Sends what may be sent, at the end of a turn or when there was progress. */
  trySend(): void {
    while (this.#maySend(MOST_SMALL)) if (!this.#sendNext()) return;
  }

  wantsToSend(): void {
    this.#host.wantsToSend(this);
  }

  /** The same in mid-turn, where more is to come: only what is worth it. */
  sendWithinTurn(): void {
    while (this.#maySend(0)) if (!this.#sendNext()) return;
  }

  #maySend(mostSmall: number): boolean {
    const { next } = this.gathering;
    return next !== undefined && this.#inFlight.mayFollow(next, mostSmall, this.#host.blocked);
  }

  #sendNext(): boolean {
    const item = this.gathering.completeNext();
    if (item === undefined || !this.#host.reserve(this, item)) return false;
    // registered before anything else: hooks of promises and of messages run while it is sent, and may call
    this.gathering.wasTaken();
    this.#wasSent(item);
    this.#host.send(this, item);
    return true;
  }

  /**
   * Sends a small batch at once, and goes on adding to it until the worker begins with it. So calls that
   * nobody waits for, one or a few a turn, cost no turn's end and gather over several turns.
   */
  share(batch: Batch): boolean {
    const { length, loads } = this.#inFlight;
    const mayShare = this.gathering.isClear && loads === 0 && length < MOST_SMALL;
    if (!mayShare || batch.bytes > LARGEST_SHARED || this.#host.blocked) return false;
    this.gathering.share();
    if (!this.#host.reserve(this, batch)) {
      this.gathering.completeOpen(); // no room in the ring: it waits like any other
      return false;
    }
    this.#wasSent(batch);
    this.#host.wasShared();
    if (this.#inFlight.length >= SETTLE_TOGETHER) this.#host.settleSoon();
    return true;
  }

  #wasSent(item: Item): void {
    this.#inFlight.add(item);
    this.#host.hasInFlight(this);
  }

  // ---- settling -----------------------------------------------------------------------------

  get memory(): PendingMemory {
    return this.#host.memory;
  }

  get sqliteVersion(): string {
    return this.#host.sqliteVersion;
  }

  causeOf(number: number, settler: number, outcome: number): Error | undefined {
    return this.#host.causeOf(this.id, number, settler, outcome);
  }

  /** Settles what the worker has finished; returns whether anything is still under way. */
  settle(): boolean {
    this.#inFlight.takeFinished(this.#settleWrite);
    return this.#inFlight.length > 0;
  }

  #settleWrite = (write: Batch | LargeWrite): void => {
    this.finishedItems++;
    if (write.kind === 'write') {
      settleWrite(write, this.#host.takeOutcome(write), this);
      return;
    }
    if (this.gathering.isOpen(write)) this.gathering.completeOpen(); // the worker has sealed it
    settleBatch(write, this);
    if (write.isWaitedFor) this.#host.noLongerWaitedFor();
  };

  /** The worker's answer to a load. */
  answer(load: Load, loaded: Loaded): void {
    if (!this.#inFlight.take(load)) return;
    this.finishedItems++;
    settleLoad(load, loaded, this);
  }

  /** A write could not be sent to the worker. */
  refuse(write: LargeWrite, error: unknown): void {
    if (!this.#inFlight.take(write)) return;
    this.#host.takeOutcome(write);
    refuseWrite(
      write,
      makeError('io-error', operationNames[write.operation] ?? '', this.dbPath, undefined, error),
      this,
    );
  }

  /** Settles once all that was called so far is finished; rejects with this provider's first failure. */
  async barrier(member: Member): Promise<void> {
    const { waiting } = this.gathering;
    const items = [...this.#inFlight.items, ...waiting];
    const settled = items.map((item) => {
      if (item.kind === 'batch') item.waitedFor();
      return new Promise<Parameters<Watcher>[0]>((resolve) => item.watchers.push(resolve));
    });
    let failure: SDS_PersistenceError | undefined;
    for (const one of settled) {
      const failures = await one;
      failure ??= failures?.get(member);
    }
    if (failure !== undefined) throw failure;
  }

  // ---- after the loss of a worker -------------------------------------------------------------

  /** What the lost worker did not finish goes to the next one, in order. */
  resume(): void {
    this.settle();
    this.gathering.completeShared();
    const again: Item[] = [];
    for (const item of this.#inFlight.takeAll()) {
      item.sent = false;
      if (item.kind === 'write') this.#host.takeOutcome(item); // whatever the lost worker had noted
      if (item.kind === 'load' && item.passed) {
        // the state that it was to see is gone: better no answer than one of a later state
        const detail = 'the answer went down with the worker thread while this thread was blocked; call again';
        refuseLoad(item, makeError('worker-lost', operationNames[item.operation] ?? '', this.dbPath, detail), this);
      } else if (item.kind === 'write' && item.isGone && this.location.server === undefined) {
        // in a file a commit is published as it is made; a server is asked by the next worker
        const detail =
          'the bytes that were handed over went down with the worker thread; nothing was stored: call again';
        refuseWrite(item, makeError('worker-lost', operationNames[item.operation] ?? '', this.dbPath, detail), this);
      } else {
        again.push(item);
      }
    }
    this.gathering.putBack(again);
    if (this.waitsToBeSent) this.#host.wantsToSend(this);
  }

  /** Refuses all that is pending and all that will come; what is finished already keeps its result. */
  giveUp(reason: GiveUpReason): void {
    this.#lost = reason;
    this.settle();
    const waiting = this.gathering.takeAll();
    for (const item of [...this.#inFlight.takeAll(), ...waiting]) {
      const error = reason(item.kind === 'batch' ? '' : (operationNames[item.operation] ?? ''));
      if (item.kind === 'load') {
        refuseLoad(item, error, this);
      } else if (item.kind === 'write') {
        this.#host.takeOutcome(item);
        refuseWrite(item, error, this);
      } else {
        refuseBatch(item, reason, this);
        if (item.isWaitedFor) this.#host.noLongerWaitedFor();
      }
    }
  }
}

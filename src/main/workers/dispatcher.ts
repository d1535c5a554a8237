/** Between the files' queues and one worker: sends, settles, blocks. It knows the present thread, not its life. */

import { type Remote, transfer } from 'comlink';
import { outsideOfCalls } from '../../protocol/async-context.ts';
import { cellTime } from '../../protocol/clock.ts';
import { WANTED_LATER, WANTED_NOW } from '../../protocol/control.ts';
import { accountForAtOnce } from '../../protocol/gc-pressure.ts';
import type { WorkerService } from '../../protocol/service.ts';
import { later, performance, soon } from '../../protocol/surroundings.ts';
import type { Channel } from '../channel/channel.ts';
import { needStack } from '../enough-stack.ts';
import { PendingMemory } from '../memory/pending-memory.ts';
import { warnOfForeignWriter } from '../observe/warnings.ts';
import type { Batch } from '../queue/batch.ts';
import type { FileQueue, QueueHost } from '../queue/file-queue.ts';
import { type Load, WORTH_SENDING } from '../queue/in-flight.ts';
import type { LargeBytes } from '../queue/large-bytes.ts';
import { LoadCalls } from './load-calls.ts';
import type { WorkerLink } from './worker-link.ts';

/** An arena that a flood has filled is exchanged after so much quiet. */
const SWOLLEN_FOR_MS = 5000;
/** Between two attempts to call a worker for which no message can be posted, and for how long there is another one. */
const WAKE_AGAIN_MS = 50;
const WAKE_PATIENCE_MS = 5000;

/** The worker, which has the thread. */
interface Owner {
  /** The piece of work that the thread is carrying out. Also replaces one that is gone, for a blocked thread, which hears of no exit. */
  work(): number | undefined;
  /** There is none, and something is to be sent: there is one afterwards, or that was refused. */
  startThread(): void;
}

export class Dispatcher implements QueueHost {
  readonly memory: PendingMemory;
  readonly channel: Channel;
  /** The worker's thread; `undefined` while there is none: then nothing is in flight. */
  link: WorkerLink | undefined;
  /** True while the thread is blocked in here: then no message can arrive. */
  blocked = false;

  readonly #owner: Owner;
  readonly #loadCalls = new LoadCalls(this);
  /** With something to send, or in flight. A `Set` would leave tables behind, which last until a full collection. */
  readonly #toSend: FileQueue[] = [];
  readonly #inFlight: FileQueue[] = [];
  #pumpScheduled = false;
  /** Whether something was sent since the worker was made to look, and whether it is to look at once. */
  #sent = false;
  #atOnce = false;
  /** How far the worker was before it could see what was put into the ring last. */
  #before = 0;
  /** Batches, not settled, that somebody waits for. */
  #waitedFor = 0;
  /** Whether all that was settled since it was last asked had waited for another process in vain; `undefined` if there was nothing. */
  #onlyBusy: boolean | undefined;
  /** Calls off the exchange of the arena, if one is to come. */
  #keepArena: (() => void) | undefined;
  /** Since when the worker can't be called, and that it will be tried again. */
  #vainSince = Number.POSITIVE_INFINITY;
  #wakesLater: (() => void) | undefined;
  /** The program has nothing else to do: it ends as soon as all is committed. */
  #ending = false;

  constructor(pendingBytes: number, channel: Channel, owner: Owner) {
    this.channel = channel;
    this.#owner = owner;
    this.memory = new PendingMemory(pendingBytes, (dropped) => this.#wake(dropped));
  }

  /** At the end of the current job, so that what is called in it goes in one batch. */
  wantsToSend(queue: FileQueue): void {
    if (!queue.isToSend) this.#toSend.push(queue);
    queue.isToSend = true;
    this.#schedulePump();
  }

  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    try {
      void soon(this.#scheduledPump);
    } catch (error) {
      this.#pumpScheduled = false; // no stack is left
      throw error;
    }
  }

  #scheduledPump = (): void => {
    this.#pumpScheduled = false;
    outsideOfCalls(this.pump); // what it settles and sends is of many calls
  };

  /** Sends what may be sent, settles what is finished, and sees to it that the rest is heard of. */
  pump = (): void => {
    if (this.link === undefined && this.#toSend.length > 0) this.#owner.startThread();
    for (let again = false; ; again = true) {
      forEach(this.#toSend, this.#trySend);
      this.#ring();
      const seen = this.channel.progress;
      // says who waits before it looks how far the worker is: the worker tells of what is finished after that
      this.channel.want(this.#wanted);
      this.settle();
      // What was under way may have finished after its queue was asked whether it may send: then no
      // progress is to come that would send the rest. If it may not send once more, it waits for others.
      const waits = this.#toSend.length === 0 || (again && this.#inFlight.length > 0);
      if (this.link === undefined || (waits && this.#listen(seen))) break;
    }
    this.channel.want(this.#wanted);
    if (this.memory.isSwollen) this.#renewArenaLater();
    this.updateReference();
  };

  /** Waits for the next progress without blocking; false if there was some meanwhile. */
  #listen(seen: number): boolean {
    return this.blocked || this.#inFlight.length === 0 || this.channel.listen(seen, this.#progressed);
  }

  #progressed = (): void => {
    this.pump();
    if (this.#inFlight.length === 0) this.#ending = false; // the program goes on
  };

  /** Gives the pages of an arena back that a flood has filled, once it was not in use for a while. */
  #renewArenaLater(): void {
    this.#keepArena ??= later(() => {
      this.#keepArena = undefined;
      if (!this.memory.isSwollen) return; // asked again once it is settled
      const arena = this.memory.renewArena();
      if (arena === undefined) return;
      this.link?.call((service) => service.useArena(arena));
    }, SWOLLEN_FOR_MS);
  }

  // these are called at each turn, and are made once
  #trySend = (queue: FileQueue): void => {
    queue.trySend();
    if (!queue.waitsToBeSent) this.#hasNothingToSend(queue);
  };

  #settleQueue = (queue: FileQueue): void => {
    if (this.channel.foreignWriter === queue.id) warnOfForeignWriter(queue.dbPath);
    if (!queue.settle()) this.#hasNothingInFlight(queue);
  };

  hasInFlight(queue: FileQueue): void {
    if (!queue.isInFlight) this.#inFlight.push(queue);
    queue.isInFlight = true;
  }

  #hasNothingToSend(queue: FileQueue): void {
    if (queue.isToSend) takeOut(this.#toSend, queue);
    queue.isToSend = false;
  }

  #hasNothingInFlight(queue: FileQueue): void {
    if (queue.isInFlight) takeOut(this.#inFlight, queue);
    queue.isInFlight = false;
  }

  get canSend(): boolean {
    return this.link !== undefined;
  }

  reserve({ id }: FileQueue, batch: Batch): boolean {
    if (this.link === undefined) return false;
    if (batch.crossesByCall) return true;
    this.#before = this.channel.progress;
    return this.channel.batches.push(id, batch.number, batch.firstSlab, cellTime(batch.begunAt));
  }

  send(queue: FileQueue, batch: Batch): void {
    if (batch.large !== undefined && batch.crossesByCall) this.#callWrite(queue, batch, batch.large);
    else this.#wasPushed(queue, batch);
  }

  sendLoads(queue: FileQueue, loads: readonly Load[]): void {
    this.#loadCalls.send(queue, loads);
  }

  #callWrite(queue: FileQueue, batch: Batch, large: LargeBytes): void {
    const { number, firstSlab, begunAt } = batch;
    const { data, isShared } = large;
    const given = isShared ? data : transfer(data, [data.buffer]);
    const { link } = this;
    const onFailure = (error: unknown) => {
      if (large.lost !== undefined) return; // it was refused
      this.settle(); // perhaps only its answer could not be posted
      if (!batch.settled) link?.thread.end(error);
      this.pump();
    };
    // at once: batches behind it go off now, and the end of one is that of all before it
    const onRefused = (refusal: unknown) => queue.wasRefused(batch, large, refusal);
    const ask = (service: Remote<WorkerService>) =>
      service.write(queue.id, number, firstSlab, cellTime(begunAt), given);
    link?.call(ask, this.pump, onFailure, onRefused);
  }

  #wasPushed(queue: FileQueue, batch: Batch): void {
    this.#sent = true;
    if (batch.isWaitedFor || queue.isWaitedFor) this.#atOnce = true;
    if (batch.bytes < WORTH_SENDING) return;
    // perhaps in mid-turn: the worker begins while the next one is gathered
    this.#atOnce = true;
    this.#ring();
  }

  wasShared(isMuch: boolean): void {
    if (!this.channel.ring(false)) this.#wake(0);
    if (this.#ending || isMuch) this.#schedulePump(); // `beforeExit`: another listener of it has called
    // what nobody waits for is told of after a pause in the traffic
    if (!this.channel.listen(this.#before, this.#progressed)) this.#schedulePump();
  }

  settleNow(): void {
    needStack();
    outsideOfCalls(this.settle);
  }

  waitedFor(): void {
    this.#waitedFor++;
    this.#atOnce = true;
    this.#schedulePump();
  }

  settled(wasBusy: boolean): void {
    this.#onlyBusy = wasBusy && this.#onlyBusy !== false;
  }

  noLongerWaitedFor(): void {
    this.#waitedFor--;
  }

  /** Makes the worker look at what was sent, at once if somebody waits for it. */
  #ring(): void {
    const atOnce = this.#atOnce || this.blocked || this.#ending;
    const needed = this.#sent || (atOnce && this.#inFlight.length > 0);
    if (needed && !this.channel.ring(atOnce)) this.#wake(0);
    this.#sent = this.#atOnce = false; // behind what may throw at the end of the stack
  }

  /**
   * Calls the worker from its event loop. Where that can't be posted, it is called again: with its thread would end all that others have
   * there. A blocked thread, which hears of no failure, rings again by itself.
   */
  #wake(dropped: number): void {
    const { link } = this;
    if (link === undefined) return;
    let isPosted = true;
    const onRefused = () => {
      isPosted = false;
      this.channel.notCalled();
    };
    const onFailure = (error: unknown) => {
      if (isPosted || performance.now() - this.#vainSince > WAKE_PATIENCE_MS) link.thread.end(error);
      else this.#wakeLater();
    };
    link.call((service) => service.wake(dropped), undefined, onFailure, onRefused);
    if (isPosted) this.#vainSince = Number.POSITIVE_INFINITY;
    else this.#vainSince = Math.min(this.#vainSince, performance.now());
  }

  #wakeLater(): void {
    this.#wakesLater ??= later(() => {
      this.#wakesLater = undefined;
      this.#sent = true;
      this.#schedulePump();
    }, WAKE_AGAIN_MS);
  }

  /** There is nothing to serve any more: lets go of the memory. */
  end(): void {
    this.link = undefined;
    this.#keepArena?.();
    this.#wakesLater?.();
    this.channel.stopListening();
    accountForAtOnce(this.memory.arena.buffer.byteLength + this.memory.blocks.bytes);
  }

  forget(queue: FileQueue): void {
    this.#hasNothingToSend(queue);
    this.#hasNothingInFlight(queue);
  }

  settle = (): void => {
    forEach(this.#inFlight, this.#settleQueue);
  };

  get #wanted(): number {
    const isNow = this.blocked || this.#waitedFor > 0 || this.#toSend.length > 0 || this.#ending;
    return isNow ? WANTED_NOW : WANTED_LATER;
  }

  /** The worker keeps the process alive while somebody waits; for the rest see `endWhenCommitted`. */
  updateReference(): void {
    const link = this.link;
    if (link === undefined) return;
    const pending = this.#waitedFor > 0 || this.#toSend.length > 0 || link.calls > 0;
    link.keepAlive(pending || (this.#ending && this.#inFlight.length > 0));
  }

  /** The program has nothing left to do: what nobody waits for is committed at once, so that its failures are told. */
  endWhenCommitted(): void {
    this.#ending = true;
    this.pump();
  }

  /** Blocks this thread. True once `until` holds, or no worker is left; false after `totalMs`. */
  block(until: () => boolean, totalMs?: number): boolean {
    const waiting = this.waiting(until, Number.POSITIVE_INFINITY, totalMs);
    for (;;) {
      const { done, value } = waiting.next();
      if (done) return value;
    }
  }

  /**
   * The same in pieces: others may be waited for whenever it yields. Has to be gone through to its end. False also after `patienceMs`
   * without progress. That one call after the other waits for another process in vain is none: however many there are, they add nothing.
   */
  *waiting(
    until: () => boolean,
    patienceMs: number,
    totalMs: number = Number.POSITIVE_INFINITY,
  ): Generator<void, boolean, void> {
    needStack();
    const wasBlocked = this.blocked;
    this.blocked = true;
    const isDone = () => {
      this.pump();
      if (!until() && this.link !== undefined) return false;
      this.settle(); // what finished since the last look
      return true;
    };
    this.#onlyBusy = undefined;
    const wasInVain = () => {
      const onlyBusy = this.#onlyBusy === true;
      this.#onlyBusy = undefined;
      return onlyBusy;
    };
    try {
      const waiting = this.channel.waiting(isDone, wasInVain, this.#owner.work, patienceMs, totalMs);
      for (;;) {
        const { done, value } = outsideOfCalls(() => waiting.next());
        if (done) return value;
        yield;
      }
    } finally {
      this.blocked = wasBlocked;
      // the rest is heard of as usual
      if (!wasBlocked) this.#schedulePump();
    }
  }
}

/** Calls with each queue that was here, from the last one on; any may be taken out or added meanwhile. */
function forEach(queues: readonly FileQueue[], visit: (queue: FileQueue) => void): void {
  for (let index = queues.length - 1; index >= 0; index--) {
    const queue = queues[index];
    if (queue !== undefined) visit(queue);
  }
}

/** The last queue, which was visited before, comes in its place. */
function takeOut(queues: FileQueue[], queue: FileQueue): void {
  const index = queues.lastIndexOf(queue);
  const last = queues.pop();
  if (last !== undefined && last !== queue) queues[index] = last;
}

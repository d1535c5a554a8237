/**
 * Writes that are carried out again until they are stored: what is refused for want of room always, and what fails otherwise for a
 * caller that does not survive a rejection. They take effect in the order of the calls: behind one that has failed, all are carried
 * out once more, which changes nothing for those that were stored.
 */
import { GrowingPause, mayPass } from '../documents/index.ts';
import type { SDS_PersistenceError, SDS_PersistenceErrorCode } from '../main/index.ts';
import { Promise } from '../protocol/surroundings.ts';

/** What is not tried again: nor would another file in its place change it. */
const LASTING: readonly SDS_PersistenceErrorCode[] = ['invalid-argument', 'closed', 'fenced'];

/** So many are carried out before a refusal of one of them is noticed: behind it, each would be refused as well. */
const AT_ONCE = 64;

interface Write extends PromiseWithResolvers<void> {
  call(): Promise<void>;
  tell(error: SDS_PersistenceError): void;
  attempts: number;
  /** What becomes of the attempt that counts: none, if it is to be carried out once those before it are finished. */
  failure: Promise<SDS_PersistenceError | undefined> | undefined;
}

export class RepeatedWrites {
  readonly #repeatsFailures: boolean;
  readonly #untilRoom: () => Promise<void>;
  /** Not finished, in the order of their calls. */
  readonly #writes = new Set<Write>();
  #pause = new GrowingPause();
  #finishing: Promise<void> | undefined;
  /** Whether one has failed, but for want of room, since all were finished: they are carried out one after the other. */
  #isRepeating = false;
  /** Whether one was refused for want of room, and it, or one behind it, was not carried out again. */
  #lacksRoom = false;
  #isClosing = false;

  /**
   * @param repeatsFailures - whether also what fails with other reasons than want of room is tried again
   * @param untilRoom - what was refused may have room once it resolves; keeps the process alive
   */
  constructor(repeatsFailures: boolean, untilRoom: () => Promise<void>) {
    this.#repeatsFailures = repeatsFailures;
    this.#untilRoom = untilRoom;
  }

  /**
   * @param call - may be called again later, with the same effect
   * @param tell - told of a failure that leads to another attempt, if it is the first one since all was stored; not of want of room
   * @returns once the write and all before it are stored
   * @throws at once what lasts, and whatever else is not tried again
   */
  add(call: Write['call'], tell: Write['tell']): Promise<void> {
    const write: Write = { call, tell, attempts: 0, failure: undefined, ...Promise.withResolvers<void>() };
    this.#writes.add(write);
    if (!this.#lacksRoom && !this.#isOneByOne) write.failure = this.#carryOut(write);
    this.#finishing ??= this.#finishAll();
    return write.promise;
  }

  get #isOneByOne(): boolean {
    return this.#isRepeating && !this.#isClosing;
  }

  async #carryOut(write: Write): Promise<SDS_PersistenceError | undefined> {
    const attempt = ++write.attempts;
    try {
      await write.call();
      return undefined;
    } catch (thrown) {
      const error = thrown as SDS_PersistenceError;
      const counts = write.attempts === attempt && write.failure !== undefined; // else it is carried out again
      if (LASTING.includes(error.code) || (counts && this.#isFinal(error))) {
        this.#writes.delete(write); // it stores nothing: no order is hurt if it is told before those before it
        void this.#reject(write, error);
      } else if (counts && this.#writes.has(write)) this.#failed(write, error);
      return error;
    }
  }

  /** At the end behind all others: it ends a process that does not listen, and with that what waits for room. */
  async #reject(write: Write, error: SDS_PersistenceError): Promise<void> {
    if (this.#isClosing) await this.#finishing;
    write.reject(error);
  }

  #isFinal({ code }: SDS_PersistenceError): boolean {
    return code !== 'queue-full' && (!this.#repeatsFailures || this.#isClosing);
  }

  #failed(write: Write, error: SDS_PersistenceError): void {
    let isBehind = false;
    for (const one of this.#writes) {
      isBehind ||= one === write;
      if (isBehind) one.failure = undefined; // it is to be stored behind this one
    }
    if (error.code === 'queue-full') {
      this.#lacksRoom = true;
      return;
    }
    if (!this.#isRepeating) write.tell(error);
    this.#isRepeating = true;
  }

  async #finishAll(): Promise<void> {
    for (const write of this.#writes) {
      // each is finished before the next one, those that come meanwhile as well
      while (this.#writes.has(write)) {
        if (write.failure === undefined) await this.#carryOutAgain(write);
        const attempt = write.failure;
        if (attempt === undefined) continue; // refused again
        const error = await attempt;
        if (error === undefined) {
          this.#writes.delete(write);
          write.resolve();
        } else if (error.code !== 'queue-full' && this.#isOneByOne && write.failure === undefined) {
          await this.#pause.next(mayPass(error));
        }
      }
    }
    this.#pause = new GrowingPause();
    this.#isRepeating = false;
    this.#finishing = undefined;
  }

  /** The first one of all, or with it all that have no attempt, which are stored together. */
  async #carryOutAgain(first: Write): Promise<void> {
    if (this.#lacksRoom) await this.#untilRoom();
    if (this.#isOneByOne) {
      this.#lacksRoom = false;
      first.failure = this.#carryOut(first);
      return;
    }
    let count = 0;
    for (const write of this.#writes) {
      if (write.failure !== undefined) continue;
      write.failure = this.#carryOut(write);
      if (++count % AT_ONCE !== 0) continue;
      await Promise.resolve();
      if (write.failure === undefined) return; // one of them was refused
    }
    this.#lacksRoom = false;
  }

  /** Tries each once more, whenever there is room; then what was not stored is rejected, and nothing is tried again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (!this.#lacksRoom) {
      // none waits for what becomes of those before it, each of which may wait long for a server
      for (const write of this.#writes) write.failure ??= this.#carryOut(write);
    }
    this.#pause.end();
    await this.#finishing;
  }
}

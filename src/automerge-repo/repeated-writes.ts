/**
 * Writes that are carried out again until they are stored: what is refused for want of room always, and what fails otherwise for a
 * caller that does not survive a rejection. They take effect in the order of the calls: behind one that is refused, none is carried out
 * before it; behind one that has failed, all are carried out once more, which changes nothing for those that were stored.
 */
import { GrowingPause, mayPass, untilRoom } from '../documents/index.ts';
import type { SDS_DesktopPersistenceProvider, SDS_PersistenceError, SDS_PersistenceErrorCode } from '../main/index.ts';
import { Promise } from '../protocol/surroundings.ts';

/** What is not tried again: nor would another file in its place change it. */
const LASTING: readonly SDS_PersistenceErrorCode[] = ['invalid-argument', 'closed', 'fenced'];

interface Write extends PromiseWithResolvers<void> {
  call(): Promise<void>;
  tell(error: SDS_PersistenceError): void;
  /** The attempt that counts: none, if it is to be carried out once those before it are finished. */
  attempt: Promise<void> | undefined;
}

export class RepeatedWrites {
  readonly #repeatsFailures: boolean;
  readonly #provider: SDS_DesktopPersistenceProvider;
  /** Not finished, in the order of their calls. */
  readonly #writes = new Set<Write>();
  #pause = new GrowingPause();
  #finishing: Promise<void> | undefined;
  /** What the last one that failed, but for want of room, has failed with since all were finished: they are carried out one after the other. */
  #told: SDS_PersistenceErrorCode | undefined;
  /** How many refusals for want of room there were when all that had no attempt was last carried out again. */
  #refusals = 0;
  #isClosing = false;

  /**
   * @param repeatsFailures - whether also what fails with other reasons than want of room is tried again
   * @param provider - that carries them out
   */
  constructor(repeatsFailures: boolean, provider: SDS_DesktopPersistenceProvider) {
    this.#repeatsFailures = repeatsFailures;
    this.#provider = provider;
  }

  /**
   * @param call - may be called again later, with the same effect
   * @param tell - told of a failure that leads to another attempt, unless the one before had the same code and not all was stored since; not of want of room
   * @returns once the write and all before it are stored
   * @throws at once what lasts, and whatever else is not tried again
   */
  add(call: Write['call'], tell: Write['tell']): Promise<void> {
    const write: Write = { call, tell, attempt: undefined, ...Promise.withResolvers<void>() };
    this.#writes.add(write);
    if (!this.#lacksRoom && !this.#isOneByOne) this.#carryOut(write);
    this.#finishing ??= this.#finishAll();
    return write.promise;
  }

  get #isOneByOne(): boolean {
    return this.#told !== undefined && !this.#isClosing;
  }

  /** Whether one was refused since, and it, or one behind it, was not carried out again: none overtakes it, also of those that are called within its call. */
  get #lacksRoom(): boolean {
    return this.#provider.refusedWrites > this.#refusals;
  }

  #carryOut(write: Write): void {
    const { refusedWrites } = this.#provider;
    const attempt = write.call();
    write.attempt = this.#provider.refusedWrites > refusedWrites ? undefined : attempt;
    attempt.catch((error: SDS_PersistenceError) => {
      // it stores nothing: no order is hurt if it is told before those before it
      if (LASTING.includes(error.code)) void this.#reject(write, error);
    });
  }

  /** At the end behind all others: it ends a process that does not listen, and with that what waits for room. */
  async #reject(write: Write, error: SDS_PersistenceError): Promise<void> {
    this.#writes.delete(write);
    if (this.#isClosing) await this.#finishing;
    write.reject(error);
  }

  async #finishAll(): Promise<void> {
    for (const write of this.#writes) {
      // each is finished before the next one, those that come meanwhile as well
      while (this.#writes.has(write)) {
        if (write.attempt === undefined) await this.#carryOutAgain(write);
        else await this.#finish(write, write.attempt);
      }
    }
    this.#pause = new GrowingPause();
    this.#told = undefined;
    this.#finishing = undefined;
  }

  /** Waits for what becomes of the first one of all. */
  async #finish(write: Write, attempt: Promise<void>): Promise<void> {
    try {
      await attempt;
      this.#writes.delete(write);
      write.resolve();
    } catch (thrown) {
      if (!this.#writes.has(write)) return; // it lasts, as was told
      const error = thrown as SDS_PersistenceError;
      if (!this.#repeatsFailures || this.#isClosing) {
        void this.#reject(write, error);
      } else {
        for (const one of this.#writes) one.attempt = undefined; // they are to be stored behind this one
        if (error.code !== this.#told) write.tell(error);
        this.#told = error.code;
        await this.#pause.next(mayPass(error));
      }
    }
  }

  /** The first one of all, or with it all that have no attempt, which are stored together. */
  async #carryOutAgain(first: Write): Promise<void> {
    if (this.#lacksRoom) await untilRoom(this.#provider);
    this.#refusals = this.#provider.refusedWrites;
    if (this.#isOneByOne) this.#carryOut(first);
    else this.#carryOutAll();
  }

  /** All that have no attempt, up to one that is refused. */
  #carryOutAll(): void {
    const { refusedWrites } = this.#provider;
    this.#refusals = -1; // what a subscriber calls meanwhile comes behind all of them
    for (const write of this.#writes) {
      if (write.attempt === undefined) this.#carryOut(write);
      if (this.#provider.refusedWrites > refusedWrites) break;
    }
    this.#refusals = refusedWrites;
  }

  /** Tries each once more, whenever there is room; then what was not stored is rejected, and nothing is tried again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    // none waits for what becomes of those before it, each of which may wait long for a server
    this.#carryOutAll();
    this.#pause.end();
    await this.#finishing;
  }
}

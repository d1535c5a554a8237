/**
 * Writes that are tried again until they are stored, for a caller that does not survive a rejection. They take effect in the
 * order of the calls: behind one that has failed, all are carried out once more, which changes nothing for those that were stored.
 */
import { GrowingPause, mayPass } from '../documents/index.ts';
import type { SDS_PersistenceError, SDS_PersistenceErrorCode } from '../main/index.ts';
import { Promise } from '../protocol/surroundings.ts';

/** What is not tried again: nor would another file in its place change it. */
const LASTING: readonly SDS_PersistenceErrorCode[] = ['invalid-argument', 'closed', 'fenced'];

interface Write extends PromiseWithResolvers<void> {
  call(): Promise<void>;
  tell(error: SDS_PersistenceError): void;
  /** What becomes of the attempt that counts: none, if it is to be carried out once those before it are finished. */
  failure: Promise<SDS_PersistenceError | undefined> | undefined;
}

export class RepeatedWrites {
  /** Not finished, in the order of their calls. */
  readonly #writes = new Set<Write>();
  #pause = new GrowingPause();
  #finishing: Promise<void> | undefined;
  /** Whether one has failed since all were finished. */
  #isRepeating = false;
  #isClosing = false;

  /**
   * @param call - may be called again later, with the same effect
   * @param tell - told of a failure that leads to another attempt, if it is the first one since all was stored
   * @returns once the write and all before it are stored
   * @throws at once what lasts, and after `close` whatever it fails with
   */
  add(call: Write['call'], tell: Write['tell']): Promise<void> {
    const write: Write = { call, tell, failure: undefined, ...Promise.withResolvers<void>() };
    this.#writes.add(write);
    if (!this.#isRepeating || this.#isClosing) write.failure = this.#carryOut(write);
    this.#finishing ??= this.#finishAll();
    return write.promise;
  }

  async #carryOut(write: Write): Promise<SDS_PersistenceError | undefined> {
    try {
      await write.call();
      return undefined;
    } catch (thrown) {
      const error = thrown as SDS_PersistenceError;
      if (LASTING.includes(error.code)) {
        this.#writes.delete(write); // it stores nothing: no order is hurt if it is told before those before it
        write.reject(error);
      } else if (!this.#isClosing) this.#failed(write, error);
      return error;
    }
  }

  #failed(write: Write, error: SDS_PersistenceError): void {
    // another attempt has finished it, or one before it has failed
    if (!this.#writes.has(write) || write.failure === undefined) return;
    let isBehind = false;
    for (const one of this.#writes) {
      isBehind ||= one === write;
      if (isBehind) one.failure = undefined; // it is to be stored behind this one
    }
    if (!this.#isRepeating) write.tell(error);
    this.#isRepeating = true;
  }

  async #finishAll(): Promise<void> {
    for (const write of this.#writes) {
      // each is finished before the next one, those that come meanwhile as well
      while (this.#writes.has(write)) {
        const attempt = write.failure ?? this.#carryOut(write);
        write.failure = attempt;
        const error = await attempt;
        if (write.failure === attempt) {
          this.#writes.delete(write);
          if (error === undefined) write.resolve();
          else write.reject(error);
        } else if (write.failure === undefined) {
          await this.#pause.next(mayPass(error));
        } // else it was closed as soon as it was told
      }
    }
    this.#pause = new GrowingPause();
    this.#isRepeating = false;
    this.#finishing = undefined;
  }

  /** Tries each once more; then what was not stored is rejected, and nothing is tried again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    // none waits for what becomes of those before it, each of which may wait long for a server
    for (const write of this.#writes) write.failure ??= this.#carryOut(write);
    this.#pause.end();
    await this.#finishing;
  }
}

/**
 * Writes that are tried again until they are stored, for a caller that does not survive a rejection. They take effect in the
 * order of the calls: behind one that has failed, all are carried out once more, which changes nothing for those that were stored.
 */
import { GrowingPause, mayPass } from '../documents/index.ts';
import type { SDS_PersistenceError, SDS_PersistenceErrorCode } from '../main/index.ts';
import { Promise } from '../protocol/surroundings.ts';

/** What is not tried again: nor would another file in its place change it. */
const LASTING: readonly SDS_PersistenceErrorCode[] = ['invalid-argument', 'closed', 'fenced'];

interface Write {
  call(): Promise<void>;
  tell(error: SDS_PersistenceError): void;
  isStored: boolean;
  resolve(): void;
  reject(error: SDS_PersistenceError): void;
}

export class RepeatedWrites {
  /** Not finished, in the order of their calls. */
  readonly #writes: Write[] = [];
  #pause = new GrowingPause();
  #repeating: Promise<void> | undefined;
  #isClosing = false;

  /**
   * @param call - may be called again later, with the same effect
   * @param tell - told of a failure that leads to another attempt, if it is the first one since all was stored
   * @returns once the write and all before it are stored
   * @throws what lasts, and after `close` whatever it fails with
   */
  add(call: Write['call'], tell: Write['tell']): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const write = { call, tell, isStored: false, resolve, reject };
    this.#writes.push(write);
    if (this.#repeating === undefined) void this.#try(write);
    return promise;
  }

  async #try(write: Write): Promise<void> {
    try {
      await write.call();
      write.isStored = true;
    } catch (error) {
      this.#failed(write, error as SDS_PersistenceError);
    }
    // those behind one that failed are carried out again
    while (this.#repeating === undefined && this.#writes[0]?.isStored) this.#writes.shift()?.resolve();
  }

  #failed(write: Write, error: SDS_PersistenceError): void {
    // since another one failed before it ended, it is carried out once more, or was: that is what finishes it
    if (this.#repeating !== undefined || !this.#writes.includes(write)) return;
    if (this.#isLasting(error)) {
      this.#reject(write, error);
    } else {
      this.#repeating = this.#repeat(error);
      write.tell(error);
    }
  }

  /** Until all are finished: what is called after the last of them is tried on its own, however soon that is. */
  async #repeat(first: SDS_PersistenceError): Promise<void> {
    await this.#pause.next(mayPass(first));
    while (this.#writes.length > 0) {
      // at the last attempt none waits for what becomes of those before it, each of which may wait long for a server
      const now = this.#isClosing ? [...this.#writes] : this.#writes.slice(0, 1);
      await Promise.all(now.map((write) => this.#carryOut(write)));
    }
    this.#pause = new GrowingPause();
    this.#repeating = undefined;
  }

  async #carryOut(write: Write): Promise<void> {
    try {
      await write.call();
      this.#finish(write);
      write.resolve();
    } catch (error) {
      if (this.#isLasting(error as SDS_PersistenceError)) this.#reject(write, error as SDS_PersistenceError);
      else await this.#pause.next(mayPass(error));
    }
  }

  #isLasting({ code }: SDS_PersistenceError): boolean {
    return this.#isClosing || LASTING.includes(code);
  }

  #reject(write: Write, error: SDS_PersistenceError): void {
    this.#finish(write);
    write.reject(error);
  }

  #finish(write: Write): void {
    this.#writes.splice(this.#writes.indexOf(write), 1);
  }

  /** Tries each once more; then what was not stored is rejected, and nothing is tried again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#pause.end();
    await this.#repeating;
  }
}

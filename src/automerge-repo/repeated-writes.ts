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
  /** What the last attempt has failed with, if it has; nothing before there is one. */
  failure: Promise<SDS_PersistenceError | undefined> | undefined;
  resolve(): void;
  reject(error: SDS_PersistenceError): void;
}

export class RepeatedWrites {
  /** Not finished, in the order of their calls. */
  readonly #writes: Write[] = [];
  #pause = new GrowingPause();
  #finishing: Promise<void> | undefined;
  /** Whether one has failed since all were finished: each is carried out once those before it are finished. */
  #isRepeating = false;
  #isClosing = false;

  /**
   * @param call - may be called again later, with the same effect
   * @param tell - told of a failure that leads to another attempt, if it is the first one since all was stored
   * @returns once the write and all before it are stored
   * @throws what lasts, and after `close` whatever it fails with
   */
  add(call: Write['call'], tell: Write['tell']): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const failure = this.#isRepeating ? undefined : failureOf(call);
    this.#writes.push({ call, tell, failure, resolve, reject });
    this.#finishing ??= this.#finishAll();
    return promise;
  }

  async #finishAll(): Promise<void> {
    for (let [write] = this.#writes; write !== undefined; [write] = this.#writes) {
      // at the last attempt none waits for what becomes of those before it, each of which may wait long for a server
      const now = this.#isClosing ? this.#writes : [write];
      for (const one of now) one.failure ??= failureOf(one.call);
      const error = await write.failure;
      if (error !== undefined && !this.#isLasting(error)) {
        await this.#beginAnew(write, error);
        continue;
      }
      this.#writes.shift();
      if (error === undefined) write.resolve();
      else write.reject(error);
    }
    this.#pause = new GrowingPause();
    this.#isRepeating = false;
    this.#finishing = undefined;
  }

  /** After a pause, with the first one: what is stored of those behind it is stored behind it. */
  async #beginAnew(first: Write, error: SDS_PersistenceError): Promise<void> {
    for (const write of this.#writes) write.failure = undefined;
    const pause = this.#pause.next(mayPass(error));
    const wasRepeating = this.#isRepeating;
    this.#isRepeating = true;
    if (!wasRepeating) first.tell(error);
    await pause;
  }

  #isLasting({ code }: SDS_PersistenceError): boolean {
    return this.#isClosing || LASTING.includes(code);
  }

  /** Tries each once more; then what was not stored is rejected, and nothing is tried again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#pause.end();
    await this.#finishing;
  }
}

async function failureOf(call: Write['call']): Promise<SDS_PersistenceError | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error as SDS_PersistenceError;
  }
}

/**
 * The promise of a write. It knows whether somebody waits for it: only then is the worker woken, and tells at once,
 * which costs both threads more than the patch itself.
 *
 * `await`, `Promise.all` and the like ask a promise for its `constructor`, and `then` is called with a function. `catch` is not
 * waiting: a failure is told at once in any case; but what it returns may be waited for. In all other respects this is the
 * native promise, and nothing else once somebody waits: V8 does `Promise.all` at a third of the cost (`design-promise-all`).
 */
import { Promise } from '../../protocol/surroundings.ts';

/** Told when somebody waits. */
export interface Awaited {
  waitedFor(): void;
}

/** Whether it is our own call of `then` that asks for the `constructor`, for a promise that passes on who waits. */
let passesOn = false;

export class Acknowledgement<T> extends Promise<T> {
  #behind: Awaited | undefined;

  static of<T>(): PromiseWithResolvers<T> {
    return Promise.withResolvers.call(Acknowledgement) as PromiseWithResolvers<T>;
  }

  static standsFor(promise: Promise<unknown>, behind: Awaited): void {
    (promise as Acknowledgement<unknown>).#behind = behind;
  }

  /** Somebody waits for this promise. */
  static waitFor(promise: object): void {
    if (!(#behind in promise)) return; // something that inherits from one
    promise.#behind?.waitedFor();
    promise.#behind = undefined; // once is enough
    Object.setPrototypeOf(promise, Promise.prototype);
  }

  // biome-ignore lint/suspicious/noThenProperty: it is the one of a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (typeof onFulfilled === 'function') Acknowledgement.waitFor(this);
    const behind = this.#behind;
    if (behind === undefined) return super.then(onFulfilled, onRejected);
    passesOn = true; // until `constructor` is asked for, which comes first: species run after that
    try {
      const next = super.then(onFulfilled, onRejected);
      const made: object = next;
      if (#behind in made) made.#behind = behind;
      else Acknowledgement.waitFor(this); // the program's own `then`, or species: who waits for what it returns is not seen
      return next;
    } finally {
      passesOn = false; // also where somebody has given this promise a `constructor` of its own
    }
  }
}

Object.defineProperty(Acknowledgement.prototype, 'constructor', {
  configurable: true,
  get(this: object) {
    const asked = passesOn;
    passesOn = false;
    if (asked) return Acknowledgement;
    Acknowledgement.waitFor(this);
    return Promise;
  },
});

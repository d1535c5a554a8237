/**
 * The promise of a gathered write. It knows whether somebody waits for it: then the worker is woken, and
 * tells as soon as it has committed. Where nobody does, both threads are spared: that costs more than the
 * patch itself.
 *
 * `await`, `Promise.all` and the like ask a promise for its `constructor`, and `then` is called with a
 * function by whoever wants to be told. `catch` is not waiting: a failure is told at once in any case. What
 * `catch` returns is such a promise again, since that one may be waited for. In all other respects it is
 * the native promise: its class is not seen, and it takes as many ticks. Once somebody waits it is nothing
 * else any more: V8 does `Promise.all` over many calls at a third of the cost (the benchmark's
 * `design-promise-all`).
 */
import { Promise } from '../../protocol/surroundings.ts';

/** What is to be hurried when somebody waits. */
export interface Hurried {
  hurry(): void;
}

/** What `constructor` answers to: somebody outside; our own call of `then`; the same, for a promise that passes on who waits. */
let asks: 'outside' | 'then' | 'catch' = 'outside';

export class Acknowledgement<T> extends Promise<T> {
  #behind: Hurried | undefined;

  /** A promise, and the functions that settle it, for what `behind` will do. */
  static of<T>(behind: Hurried): PromiseWithResolvers<T> {
    const made = Promise.withResolvers.call(Acknowledgement) as PromiseWithResolvers<T>;
    (made.promise as Acknowledgement<T>).#behind = behind;
    return made;
  }

  /** Somebody waits for this promise. */
  static waitFor(promise: object): void {
    if (!(#behind in promise)) return; // something that inherits from one
    promise.#behind?.hurry();
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
    asks = behind === undefined ? 'then' : 'catch';
    let next: Promise<A | B>;
    try {
      next = super.then(onFulfilled, onRejected);
    } finally {
      asks = 'outside';
    }
    if (behind === undefined) return next;
    const made: object = next;
    if (#behind in made) made.#behind = behind;
    else Acknowledgement.waitFor(this); // the program's own `then`: who waits for what it returns is not seen
    return next;
  }
}

Object.defineProperty(Acknowledgement.prototype, 'constructor', {
  configurable: true,
  get(this: object) {
    if (asks === 'catch') return Acknowledgement;
    if (asks === 'outside') Acknowledgement.waitFor(this);
    return Promise;
  },
});

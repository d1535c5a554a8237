/**
 * What our copy of Comlink has in the place of `Promise` and `Math`, put there by the build; an application's own copy is
 * left alone. It follows its promises by `then`, which a program may have replaced as well as the class.
 */
import { Promise } from './surroundings.ts';

export class ComlinkPromise<T> extends Promise<T> {
  // biome-ignore lint/suspicious/noThenProperty: it is the one of a promise
  override async then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    let value: T;
    try {
      value = await this;
    } catch (error) {
      if (typeof onRejected !== 'function') throw error;
      return onRejected(error);
    }
    return typeof onFulfilled === 'function' ? onFulfilled(value) : (value as unknown as A);
  }
}
// what `await` asks for: it follows a promise of the language's own class without calling its `then`
Object.defineProperty(ComlinkPromise.prototype, 'constructor', { value: Promise });

const GOLDEN_SECTION = (Math.sqrt(5) - 1) / 2;
let last = 0;

/** Calls are told apart by random numbers: where a test has made them all the same, answers would go to another call. */
export const ComlinkMath = {
  floor: Math.floor,
  random(): number {
    last = (last + GOLDEN_SECTION) % 1;
    return last;
  },
};

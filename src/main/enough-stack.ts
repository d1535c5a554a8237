/** For what must not stop halfway where the stack is nearly full, as at the end of an endless recursion that the program catches. */

/** 64 KB: with half of it nothing was left halfway in any of the calls that were tried, with a quarter some were. */
const WORDS = new Array<undefined>(8192).fill(undefined);

const nothing = (): void => {};

/** @throws RangeError where the stack has not that much room. Arguments take one word each, however their function is compiled. */
export function needStack(): void {
  Reflect.apply(nothing, undefined, WORDS);
}

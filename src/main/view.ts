/** What a view of bytes really is, whatever its properties say: a subclass may have 5 bytes and hand over 5000. */

const prototype = Object.getPrototypeOf(Uint8Array.prototype) as object;

function intrinsic<T>(name: string): (view: Uint8Array) => T {
  const getter = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  if (getter === undefined) throw new Error(`typed arrays have no ${name}`);
  return (view) => getter.call(view) as T;
}

export const lengthOf = intrinsic<number>('byteLength');
export const startOf = intrinsic<number>('byteOffset');
export const bufferOf = intrinsic<ArrayBufferLike>('buffer');

/** Says so where `firstBytesOf` finds less. */
export const BYTES_GONE = 'its array was detached or made shorter within the call; nothing was stored';

/**
 * What a view has of the bytes that it had when its length was asked for: within a call, which may be held, and in which
 * hooks of promises run, it may grow (shared memory by another thread), shrink or be detached. `undefined` if bytes are gone.
 */
export function firstBytesOf(view: Uint8Array, length: number): Uint8Array | undefined {
  const now = lengthOf(view);
  if (now === length) return view;
  return now < length ? undefined : new Uint8Array(bufferOf(view), startOf(view), length);
}

/** An empty view is one of no bytes, or what is left of a detached or shrunken one: only that one refuses `at`. */
export function isAttached(view: Uint8Array): boolean {
  try {
    Uint8Array.prototype.at.call(view, 0);
    return true;
  } catch {
    return false;
  }
}

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

/** An empty view is one of no bytes, or what is left of a detached or shrunken one: only that one refuses `at`. */
export function isAttached(view: Uint8Array): boolean {
  try {
    Uint8Array.prototype.at.call(view, 0);
    return true;
  } catch {
    return false;
  }
}

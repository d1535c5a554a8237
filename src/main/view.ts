/** What a view of bytes really is, whatever its properties say: a subclass may have 5 bytes and hand over 5000. */
import { types } from 'node:util';

const ofViews = Object.getPrototypeOf(Uint8Array.prototype) as object;

function intrinsic<O extends object, T>(prototype: object, name: string): (object: O) => T {
  const getter = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  if (getter === undefined) throw new Error(`there is no ${name}`);
  return (object) => getter.call(object) as T;
}

export const lengthOf = intrinsic<Uint8Array, number>(ofViews, 'byteLength');
export const startOf = intrinsic<Uint8Array, number>(ofViews, 'byteOffset');
export const bufferOf = intrinsic<Uint8Array, ArrayBufferLike>(ofViews, 'buffer');
const growable = intrinsic<SharedArrayBuffer, boolean>(SharedArrayBuffer.prototype, 'growable');

/** Whether another thread may let its memory grow, and itself with it, at any moment. */
export function mayGrow(view: Uint8Array): boolean {
  const buffer = bufferOf(view);
  return types.isSharedArrayBuffer(buffer) && growable(buffer);
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

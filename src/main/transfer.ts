/** Whose bytes are whose: what is copied at the call, and what the caller hands over. */

import { types } from 'node:util';
// as a whole: a module that names what Node 20 does not export could not even be loaded there, to say which Node is needed
import * as threads from 'node:worker_threads';
import type { Bytes } from '../protocol/service.ts';
import { bufferOf, lengthOf, startOf } from './view.ts';

/** The marks of `transfer`: private to this package, so that no other copy of Comlink meets them. */
const handedOver = new WeakSet<object>();
let everMarked = false;

/** The language's own, whatever property somebody has put on a buffer. */
const { transferToFixedLength } = ArrayBuffer.prototype;

/**
 * Hands over one byte argument to the next call it is passed to, in the form that Comlink uses. At
 * that call its buffer is detached (`byteLength` becomes 0) and crosses to the worker without a
 * copy; of a subarray the view's bytes are stored, its whole buffer is gone. What can't be handed
 * over (a pooled `Buffer`, WebAssembly or shared memory) is copied instead and stays intact.
 *
 * @param Bytes - the byte argument
 * @param Transferables - `[Bytes.buffer]`, as for Comlink's function of this name, and what is meant without it; a
 *   list that does not have it hands nothing over, and the call copies as usual
 * @returns `Bytes` itself
 * @example
 * await Provider.saveValue(Hash, transfer(Bytes))
 */
export function transfer<T extends object>(Bytes: T, Transferables?: readonly unknown[]): T {
  // looked at now: in the call that takes the bytes nothing of the caller's may run
  const isNamed = (buffer: unknown) =>
    Transferables === undefined || (Array.isArray(Transferables) && Transferables.includes(buffer));
  if (types.isUint8Array(Bytes) && isNamed(bufferOf(Bytes))) {
    handedOver.add(Bytes);
    everMarked = true;
  } else {
    handedOver.delete(Bytes);
  }
  return Bytes;
}

/** @internal Whether this argument was handed over; asking takes the mark away. */
export function takeMark(bytes: Uint8Array): boolean {
  if (!everMarked) return false;
  return handedOver.delete(bytes);
}

/** @internal Moves a handed-over view's buffer out of the caller's reach, `undefined` where that is impossible. */
export function takeOver(bytes: Uint8Array): Bytes | undefined {
  const [buffer, start, length] = [bufferOf(bytes), startOf(bytes), lengthOf(bytes)];
  // Node marks the pool of small Buffers: moving it would take the neighbours' bytes away
  if (types.isSharedArrayBuffer(buffer) || threads.isMarkedAsUntransferable(buffer)) return undefined;
  try {
    return { buffer: transferToFixedLength.call(buffer), start, length };
  } catch {
    return undefined; // WebAssembly memory refuses (it has a detach key): the caller's call copies it
  }
}

/** Bytes that a third thread passes on in a port: V8 would count received ones, and search its heap for garbage. */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { buffersOf, type PackedBytes } from './packed-bytes.ts';

/** Belongs to one thread at a time, which opens it, passes its port on, or discards it: till then its bytes stay. */
export interface Parcel {
  port: MessagePort;
  /** Bytes in it. */
  length: number;
}

/** The packs' buffers are handed over. */
export function seal(packs: PackedBytes): Parcel {
  const length = packs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(packs, buffersOf(packs)); // closed with the other one: Deno would take back what was posted
  return { port: port2, length };
}

/** @throws if it was opened before, or was not sealed */
export function open({ port }: Pick<Parcel, 'port'>): PackedBytes {
  const received = receiveMessageOnPort(port);
  port.close();
  if (received === undefined) throw new Error('there are no bytes in a port that should have brought some');
  return received.message;
}

/** Lets go of a parcel; nothing happens to one that was opened, or passed on. */
export function discard({ port }: Pick<Parcel, 'port'>): void {
  port.close();
}

/** The bytes of a large write, which have crossed beside its batch. */
import { MessagePort } from 'node:worker_threads';
import { discard, open } from '../../protocol/parcel.ts';
import type { Bytes } from '../../protocol/service.ts';
import { EngineError } from '../engine.ts';

export class ReceivedBytes {
  /** Answers the call that has brought them. */
  readonly answer: () => void;
  #bytes: Bytes;

  constructor(given: Bytes, answer: () => void) {
    this.#bytes = given;
    this.answer = answer;
  }

  get data(): Uint8Array {
    const { buffer, start, length } = this.#bytes;
    return buffer instanceof MessagePort ? this.#open(buffer) : new Uint8Array(buffer, start, length);
  }

  /** Of a parcel. What was sealed before this call was made is there. */
  #open(port: MessagePort): Uint8Array {
    const [block] = open({ port });
    // as no bytes it would take the place of what is stored
    if (block === undefined) throw new EngineError('io-error', { message: 'there are no bytes in a parcel' });
    const { bytes } = block;
    this.#bytes = { buffer: bytes.buffer, start: bytes.byteOffset, length: bytes.byteLength };
    return bytes;
  }

  /**
   * What was handed over is done with: its memory goes back now. Else it would stay until the garbage is
   * collected, be a reason to do so, and that takes the main thread's core for milliseconds.
   */
  free(): void {
    const { buffer } = this.#bytes;
    if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    if (buffer instanceof MessagePort) discard({ port: buffer });
  }
}

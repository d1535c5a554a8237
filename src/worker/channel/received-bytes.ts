/** The bytes of a large write, which have crossed beside its batch. */
import { MessagePort } from 'node:worker_threads';
import type { Failure } from '../../protocol/errors.ts';
import { discard, open } from '../../protocol/parcel.ts';
import type { Bytes } from '../../protocol/service.ts';
import { EngineError } from '../engine.ts';

export class ReceivedBytes {
  /** Why they did not come, if so. */
  readonly lost: EngineError | undefined;
  /** Answers the call that has brought them. */
  readonly answer: () => void;
  #bytes: Bytes | undefined;

  constructor(given: Bytes | Failure, answer: () => void) {
    if ('code' in given) this.lost = new EngineError(given.code, given.cause);
    else this.#bytes = given;
    this.answer = answer;
  }

  get data(): Uint8Array {
    const { buffer, start, length } = this.#bytes as Bytes; // nothing asks for those that are lost
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
    const buffer = this.#bytes?.buffer;
    if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    if (buffer instanceof MessagePort) discard({ port: buffer });
  }
}

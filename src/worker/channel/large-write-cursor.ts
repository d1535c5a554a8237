/** A write that crossed by itself, as the engine sees it: a cursor over one call, whose marks go to its slot. */
import { MessagePort } from 'node:worker_threads';
import { SLOT_COLLIDED } from '../../protocol/control.ts';
import { ENTRY_ACKNOWLEDGED, ENTRY_KEEPS_BOTH } from '../../protocol/entries.ts';
import { discard, open } from '../../protocol/parcel.ts';
import type { Bytes, Failure, WriteTicket } from '../../protocol/service.ts';
import { type Caller, EngineError, type Writes } from '../engine.ts';
import { refuseFalseValue } from '../verify-value.ts';

const NO_BYTES: Bytes = { buffer: new ArrayBuffer(0), start: 0, length: 0 };

export class LargeWriteCursor implements Writes {
  readonly ticket: WriteTicket;
  readonly operation: number;
  readonly caller: Caller;
  readonly clock: number;
  readonly key: string;
  readonly at = 0;
  #bytes: Bytes;
  readonly #lost: EngineError | undefined;
  readonly #outcomes: Int32Array;
  #read = false;

  constructor(
    ticket: WriteTicket,
    operation: number,
    caller: Caller,
    key: string,
    clock: number,
    data: Bytes | Failure,
    outcomes: Int32Array,
  ) {
    this.ticket = ticket;
    this.operation = operation;
    this.caller = caller;
    this.key = key;
    this.clock = clock;
    const isLost = 'code' in data;
    this.#bytes = isLost ? NO_BYTES : data;
    this.#lost = isLost ? new EngineError(data.code, data.cause) : undefined;
    this.#outcomes = outcomes;
  }

  get keepsBoth(): boolean {
    return (this.ticket.flags & ENTRY_KEEPS_BOTH) !== 0;
  }

  get isAcknowledged(): boolean {
    return (this.ticket.flags & ENTRY_ACKNOWLEDGED) !== 0;
  }

  /** For another attempt: what was marked by one that failed, or whose worker was lost before its commit, is taken back. */
  rewind(): this {
    this.#outcomes[this.ticket.slot] = (this.#outcomes[this.ticket.slot] ?? 0) & ~SLOT_COLLIDED;
    this.#read = false;
    return this;
  }

  next(): boolean {
    const first = !this.#read;
    this.#read = true;
    if (this.#lost !== undefined) throw this.#lost;
    if (first && this.caller.verifyValues) refuseFalseValue(this);
    return first;
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

  /** Only before it is published: after that the slot may be used anew. */
  fail(outcome: number): void {
    this.#outcomes[this.ticket.slot] = outcome;
  }

  markCollided(): void {
    this.#outcomes[this.ticket.slot] = (this.#outcomes[this.ticket.slot] ?? 0) | SLOT_COLLIDED;
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

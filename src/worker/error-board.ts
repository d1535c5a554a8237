/** The worker's side of the error board: SQLite's words about the last failure. */
import { BOARD_BYTES, BOARD_TEXT_AT } from '../protocol/control.ts';
import type { ReportedCause } from '../protocol/errors.ts';

export class ErrorBoard {
  readonly #bytes: Uint8Array;
  readonly #head: Int32Array;

  constructor(board: SharedArrayBuffer) {
    this.#bytes = new Uint8Array(board);
    this.#head = new Int32Array(board, 0, 4);
  }

  write(file: number, number: number, outcome: number, cause: ReportedCause): void {
    const words = { ...cause, message: cause.message.slice(0, 400) };
    const text = Buffer.from(JSON.stringify(words)).subarray(0, BOARD_BYTES - BOARD_TEXT_AT);
    const head = this.#head;
    Atomics.store(head, 1, 0); // nothing on the board fits any batch while it is being written
    this.#bytes.set(text, BOARD_TEXT_AT);
    Atomics.store(head, 0, file);
    Atomics.store(head, 2, outcome);
    Atomics.store(head, 3, text.byteLength);
    Atomics.store(head, 1, number);
  }
}

/** Reads what SQLite said about a failed batch, as long as the board still shows it. */
import { BOARD_BYTES, BOARD_TEXT_AT } from '../../protocol/control.ts';
import { type ReportedCause, reviveCause } from '../../protocol/errors.ts';
import { Buffer } from '../../protocol/surroundings.ts';

export class ErrorBoard {
  readonly shared = new SharedArrayBuffer(BOARD_BYTES);
  readonly #head = new Int32Array(this.shared, 0, 4);

  /** The cause of a failure, if the last failure of the worker was that one. */
  causeOf(file: number, number: number, outcome: number): Error | undefined {
    const head = this.#head;
    if (Atomics.load(head, 0) !== file || Atomics.load(head, 1) !== number || Atomics.load(head, 2) !== outcome) {
      return undefined;
    }
    const length = Atomics.load(head, 3);
    const text = Buffer.from(new Uint8Array(this.shared, BOARD_TEXT_AT, length)).toString();
    try {
      return reviveCause(JSON.parse(text) as ReportedCause);
    } catch {
      return undefined; // overwritten by the next failure while it was read: the code says enough
    }
  }
}

/**
 * The error board: what SQLite or the system said about calls that went by shared memory, so that the error of each has its
 * own cause. The worker notes a record before it publishes that the call has failed. Records are used in turn: a cause is
 * there as long as no more than `RECORDS` others, of one worker, came after it; beyond that an error has none, never another's.
 */
import { type ReportedCause, reviveCause } from './errors.ts';
import { Buffer } from './surroundings.ts';

/** Which promises of a batch: one, by its index, or all. */
export type Settlers = number | 'all';

const RECORDS = 1024;
/** Before the words: file, number, first and last promise, outcome, SQLite's code or 0, lengths of Node's code and of the message. */
const CELLS = 8;
const RECORD_BYTES = 512;
/** Pages that no failure was noted in take no memory. */
const BOARD_BYTES = RECORDS * RECORD_BYTES;
const MOST_PROMISES = 2 ** 31 - 1;
const LONGEST_CODE = 64;

export class ErrorBoard {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #text: Buffer;
  /** The record that is written next, and what the last one says. */
  #next = 0;
  #last = '';
  /** The record that was read last: the next cause is that one, or one behind it. */
  #hint = 0;

  constructor(shared = new SharedArrayBuffer(BOARD_BYTES)) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
    this.#text = Buffer.from(shared);
  }

  // ---- the worker ---------------------------------------------------------------------------------

  /** Promises are noted in ascending order: those in a row that failed alike share a record. */
  note(
    file: number,
    number: number,
    which: Settlers,
    outcome: number,
    { message, code = '', errcode = 0 }: ReportedCause,
  ) {
    const words = `${file} ${number} ${outcome} ${errcode} ${code} ${message}`;
    if (which !== 'all' && words === this.#last) {
      this.#cells[this.#cellOf(this.#next - 1) + 3] = which;
      return;
    }
    this.#last = which === 'all' ? '' : words;
    const record = this.#cellOf(this.#next);
    this.#next = (this.#next + 1) % RECORDS;
    const cells = this.#cells;
    Atomics.store(cells, record + 4, 0); // nothing of it fits any call while it is being written
    const start = (record + CELLS) * 4;
    const end = record * 4 + RECORD_BYTES;
    const codeLength = this.#text.write(code, start, LONGEST_CODE);
    cells[record + 7] = this.#text.write(message, start + codeLength, end - start - codeLength);
    cells[record + 6] = codeLength;
    cells[record + 5] = errcode;
    cells[record] = file;
    cells[record + 1] = number;
    cells[record + 2] = which === 'all' ? 0 : which;
    cells[record + 3] = which === 'all' ? MOST_PROMISES : which;
    Atomics.store(cells, record + 4, outcome);
  }

  #cellOf(record: number): number {
    return ((record + RECORDS) % RECORDS) * (RECORD_BYTES >> 2);
  }

  // ---- the main side ------------------------------------------------------------------------------

  /** The cause of a failure; `undefined` if so many others came after it that it is overwritten. */
  causeOf(file: number, number: number, settler: number, outcome: number): Error | undefined {
    const cells = this.#cells;
    const fits = (record: number) =>
      Atomics.load(cells, record + 4) === outcome &&
      cells[record] === file &&
      cells[record + 1] === number &&
      (cells[record + 2] ?? 0) <= settler &&
      settler <= (cells[record + 3] ?? 0);
    for (let i = 0; i < RECORDS; i++) {
      const record = this.#cellOf(this.#hint + i);
      if (!fits(record)) continue;
      this.#hint = (this.#hint + i) % RECORDS;
      const [errcode = 0, codeLength = 0, length = 0] = cells.subarray(record + 5, record + CELLS);
      const start = (record + CELLS) * 4;
      const code = this.#text.toString('utf8', start, start + codeLength);
      const message = this.#text.toString('utf8', start + codeLength, start + codeLength + length);
      if (!fits(record)) return undefined; // overwritten while it was read
      return reviveCause({ message, code: code || undefined, errcode: errcode || undefined });
    }
    return undefined;
  }
}

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
/** What comes before the words: Node's code, SQLite's, and the message, each in lines of its own. */
const FILE = 0;
const NUMBER = 1;
const FIRST_SETTLER = 2;
const LAST_SETTLER = 3;
const OUTCOME = 4;
const WORDS_LENGTH = 5;
const CELLS = 6;
const RECORD_BYTES = 512;
/** Pages that no failure was noted in take no memory. */
const BOARD_BYTES = RECORDS * RECORD_BYTES;
const MOST_PROMISES = 2 ** 31 - 1;

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
  note(file: number, number: number, which: Settlers, outcome: number, cause: ReportedCause): void {
    const { message, code = '', errcode = '' } = cause;
    const words = `${code}\n${errcode}\n${message}`;
    const said = `${file} ${number} ${outcome} ${words}`;
    if (which !== 'all' && said === this.#last) {
      this.#cells[this.#cellOf(this.#next - 1) + LAST_SETTLER] = which;
      return;
    }
    this.#last = which === 'all' ? '' : said;
    const record = this.#cellOf(this.#next);
    this.#next = (this.#next + 1) % RECORDS;
    const cells = this.#cells;
    Atomics.store(cells, record + OUTCOME, 0); // nothing of it fits any call while it is being written
    cells[record + WORDS_LENGTH] = this.#text.write(words, (record + CELLS) * 4, RECORD_BYTES - CELLS * 4);
    cells[record + FILE] = file;
    cells[record + NUMBER] = number;
    cells[record + FIRST_SETTLER] = which === 'all' ? 0 : which;
    cells[record + LAST_SETTLER] = which === 'all' ? MOST_PROMISES : which;
    Atomics.store(cells, record + OUTCOME, outcome);
  }

  #cellOf(record: number): number {
    return ((record + RECORDS) % RECORDS) * (RECORD_BYTES >> 2);
  }

  // ---- the main side ------------------------------------------------------------------------------

  /** The cause of a failure; `undefined` if so many others came after it that it is overwritten. */
  causeOf(file: number, number: number, settler: number, outcome: number): Error | undefined {
    const cells = this.#cells;
    const fits = (record: number) =>
      Atomics.load(cells, record + OUTCOME) === outcome &&
      cells[record + FILE] === file &&
      cells[record + NUMBER] === number &&
      (cells[record + FIRST_SETTLER] ?? 0) <= settler &&
      settler <= (cells[record + LAST_SETTLER] ?? 0);
    for (let i = 0; i < RECORDS; i++) {
      const record = this.#cellOf(this.#hint + i);
      if (!fits(record)) continue;
      this.#hint = (this.#hint + i) % RECORDS;
      const start = (record + CELLS) * 4;
      const words = this.#text.toString('utf8', start, start + (cells[record + WORDS_LENGTH] ?? 0));
      if (!fits(record)) return undefined; // overwritten while it was read
      const [code, errcode, ...message] = words.split('\n');
      return reviveCause({
        message: message.join('\n'),
        code: code || undefined,
        errcode: Number(errcode) || undefined,
      });
    }
    return undefined;
  }
}

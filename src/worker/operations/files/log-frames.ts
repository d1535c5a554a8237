/**
 * Finds the committed pages in a write-ahead log, as SQLite's own recovery does
 * (https://sqlite.org/fileformat2.html#the_write_ahead_log).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const READ_BYTES = 1024 * 1024;

export interface LogFrames {
  /** Where in the log the newest committed content of a page begins, by page number. */
  pages: Map<number, number>;
  /** How many pages the database has after the last commit; `undefined` if there is none in the log. */
  databasePages: number | undefined;
  /** The header: it changes when the log is written anew from its start. */
  header: Buffer;
}

/** The log of a database: its own file without locks, which may be opened and closed by anybody. */
export class LogFile {
  readonly #descriptor: number;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
  }

  header(): Buffer {
    const header = Buffer.alloc(HEADER_BYTES);
    return header.subarray(0, readSync(this.#descriptor, header, 0, HEADER_BYTES, 0));
  }

  /** Whether it begins as a log does. */
  get hasHeader(): boolean {
    return sumOfHeader(this.header()) !== undefined;
  }

  /** Reads a page of the log; returns false if it is cut there. */
  read(page: Uint8Array, position: number): boolean {
    return readSync(this.#descriptor, page, 0, page.length, position) === page.length;
  }

  /** Goes through all frames up to the last commit, checking each checksum. */
  frames(pageBytes: number): LogFrames {
    const header = this.header();
    const found: LogFrames = { pages: new Map(), databasePages: undefined, header };
    const sum = sumOfHeader(header);
    if (sum === undefined || header.readUInt32BE(8) !== pageBytes) return found;
    const frameBytes = FRAME_HEADER_BYTES + pageBytes;
    const framesARead = Math.max(1, Math.floor(READ_BYTES / frameBytes));
    const buffer = Buffer.from(new ArrayBuffer(framesARead * frameBytes));
    const uncommitted = new Map<number, number>();
    for (let position = HEADER_BYTES; ; ) {
      const bytes = readSync(this.#descriptor, buffer, 0, buffer.length, position);
      for (let at = 0; at + frameBytes <= bytes; at += frameBytes, position += frameBytes) {
        const frame = buffer.subarray(at, at + frameBytes);
        if (frame.compare(header, 16, 24, 8, 16) !== 0) return found; // of an earlier round of the log
        sum.add(frame.subarray(0, 8));
        sum.add(frame.subarray(FRAME_HEADER_BYTES));
        if (!sum.is(frame.readUInt32BE(16), frame.readUInt32BE(20))) return found;
        uncommitted.set(frame.readUInt32BE(0), position + FRAME_HEADER_BYTES);
        const databasePages = frame.readUInt32BE(4);
        if (databasePages === 0) continue;
        found.databasePages = databasePages;
        for (const [page, start] of uncommitted) found.pages.set(page, start);
        uncommitted.clear();
      }
      if (bytes < buffer.length) return found;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** The checksum so far, if it is the one that the header says. */
function sumOfHeader(header: Buffer): Checksum | undefined {
  if (header.length < HEADER_BYTES || header.readUInt32BE(0) >>> 1 !== 0x377f0682 >>> 1) return undefined;
  const sum = new Checksum(((header.readUInt32BE(0) & 1) === 1) !== (endianness() === 'BE'));
  sum.add(header.subarray(0, 24));
  return sum.is(header.readUInt32BE(24), header.readUInt32BE(28)) ? sum : undefined;
}

/** SQLite's checksum of a log: two running sums over pairs of words. */
class Checksum {
  readonly #swapped: boolean;
  #a = 0;
  #b = 0;

  constructor(swapped: boolean) {
    this.#swapped = swapped;
  }

  add(bytes: Buffer): void {
    let [a, b] = [this.#a, this.#b];
    if (!this.#swapped && bytes.byteOffset % 4 === 0) {
      const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      for (let i = 0; i < words.length; i += 2) {
        a = (a + (words[i] as number) + b) | 0; // within the length, which is a multiple of 8
        b = (b + (words[i + 1] as number) + a) | 0;
      }
    } else {
      const little = (endianness() === 'LE') !== this.#swapped;
      const word = (at: number) => (little ? bytes.readInt32LE(at) : bytes.readInt32BE(at));
      for (let at = 0; at < bytes.length; at += 8) {
        a = (a + word(at) + b) | 0;
        b = (b + word(at + 4) + a) | 0;
      }
    }
    [this.#a, this.#b] = [a, b];
  }

  is(a: number, b: number): boolean {
    return this.#a >>> 0 === a && this.#b >>> 0 === b;
  }
}

/** Many rows with bytes as few parameters of one statement: the server takes them apart again. */

import { int4Array, int8Array } from '../../postgresql/arrays.ts';
import type { Statement } from '../../postgresql/connection.ts';
import { textArray } from './copy-connection.ts';

const MOST_ROWS = 4096;
const MOST_BYTES = 1024 * 1024;

/** The parameters `$1` to `$6`, as a table `u` of rows: a key, a number, where their bytes begin in `$5`, and how many. */
const unpacked = 'unnest($2::int[], $3::bigint[], $4::int[], $6::int[]) AS u (k, n, o, l)';
const key = '($1::text[])[u.k]';
const data = 'substring($5::bytea FROM u.o FOR u.l)';

export const insertPatches = `INSERT INTO sds_patches (store_id, clock, data) SELECT ${key}, u.n, ${data} FROM ${unpacked}`;

/** With a version of all of them as `$7`. */
export const insertSnapshots =
  'INSERT INTO sds_snapshots (store_id, clock, version, size, data) ' +
  `SELECT ${key}, u.n, $7, u.l, ${data} FROM ${unpacked}`;

/** Those that are there get both reference counts. In the order of the rows, so that two that do this do not wait for each other. */
export const insertValues =
  'INSERT INTO sds_values (hash, ref_count, version, size, data) ' +
  `SELECT ${key}, u.n, $7, u.l, ${data} FROM ${unpacked} ` +
  'ON CONFLICT (hash) DO UPDATE SET ref_count = sds_values.ref_count + excluded.ref_count';

export class PackedRows {
  readonly #text: string;
  readonly #more: readonly string[];
  readonly #send: (statement: Statement, bytes: number) => Promise<void>;
  #keys: string[] = [];
  #places: number[] = [];
  #numbers: number[] = [];
  #offsets: number[] = [];
  #lengths: number[] = [];
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(text: string, more: readonly string[], send: (statement: Statement, bytes: number) => Promise<void>) {
    this.#text = text;
    this.#more = more;
    this.#send = send;
  }

  /** @param bytes - not changed until they are sent */
  async add(name: string, number: number, bytes: Uint8Array): Promise<void> {
    if (this.#bytes > 0 && this.#bytes + bytes.byteLength > MOST_BYTES) await this.send();
    if (this.#keys.at(-1) !== name) this.#keys.push(name);
    this.#places.push(this.#keys.length);
    this.#numbers.push(number);
    this.#offsets.push(this.#bytes + 1);
    this.#lengths.push(bytes.byteLength);
    this.#parts.push(bytes);
    this.#bytes += bytes.byteLength;
    if (this.#places.length === MOST_ROWS) await this.send();
  }

  async send(): Promise<void> {
    if (this.#places.length === 0) return;
    const statement: Statement = {
      text: this.#text,
      values: [
        textArray(this.#keys),
        int4Array(this.#places),
        int8Array(this.#numbers),
        int4Array(this.#offsets),
        Buffer.concat(this.#parts),
        int4Array(this.#lengths),
        ...this.#more,
      ],
    };
    const bytes = this.#bytes;
    [this.#keys, this.#places, this.#numbers, this.#offsets, this.#lengths, this.#parts] = [[], [], [], [], [], []];
    this.#bytes = 0;
    await this.#send(statement, bytes);
  }
}

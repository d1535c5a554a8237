/** Loads the patches of a store above a number, as blocks of about a megabyte and the length of each. */
import type { PatchBlocks } from '../../protocol/service.ts';
import { bytesOf } from './chunks.ts';
import type { Connection } from './connection.ts';

const BLOCK_BYTES = 1024 * 1024;
/** Where there is no COPY: so many at a time. */
const PAGE_ROWS = 1000;

class Blocks {
  readonly finished: PatchBlocks = [];
  #bytes = new Uint8Array(BLOCK_BYTES);
  #used = 0;
  #lengths: number[] = [];

  /** Copies one. */
  add(data: Buffer): void {
    const { byteLength } = data;
    if (this.#used + byteLength > this.#bytes.byteLength) {
      this.#finish();
      if (byteLength > this.#bytes.byteLength) this.#bytes = new Uint8Array(byteLength);
    }
    this.#bytes.set(data, this.#used);
    this.#used += byteLength;
    this.#lengths.push(byteLength);
  }

  #finish(): void {
    if (this.#lengths.length === 0) return;
    // with a buffer of its own, which is handed over whole
    this.finished.push({ bytes: this.#bytes.slice(0, this.#used), lengths: Int32Array.from(this.#lengths) });
    this.#used = 0;
    this.#lengths = [];
  }

  end(): PatchBlocks {
    this.#finish();
    return this.finished;
  }
}

export async function loadPatchesSince(
  connection: Connection,
  store: string,
  clock: number,
  copy: boolean,
): Promise<PatchBlocks> {
  const blocks = new Blocks();
  if (copy) {
    await connection.copyOut(
      `SELECT data FROM sds_patches WHERE store_id = ${connection.escapeLiteral(store)} AND clock > ${clock} ORDER BY clock`,
      (data) => blocks.add(data),
    );
    return blocks.end();
  }
  for (let after = String(clock); ; ) {
    const { rows } = await connection.one(
      `SELECT clock, encode(data, 'hex') FROM sds_patches WHERE store_id = $1 AND clock > $2 ORDER BY clock LIMIT ${PAGE_ROWS}`,
      store,
      after,
    );
    for (const [, data] of rows) blocks.add(bytesOf(data));
    if (rows.length < PAGE_ROWS) return blocks.end();
    after = rows.at(-1)?.[0] ?? after;
  }
}

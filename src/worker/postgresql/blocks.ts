/** What a load has found, as blocks of about a megabyte and the length of each patch or record. */
import type { PatchBlocks } from '../../protocol/patch-blocks.ts';

const BLOCK_BYTES = 1024 * 1024;

export class Blocks {
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

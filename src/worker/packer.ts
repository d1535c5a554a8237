/** Packs what a load has found: about a megabyte each, and the length of each patch or record. */
import { type PackedBytes, packOf } from '../protocol/packed-bytes.ts';

/** What a pack should hold: patches or records of one share their memory for as long as one is kept. */
export const PACK_BYTES = 1024 * 1024;

export class Packer {
  readonly #finished: PackedBytes = [];
  /** Used for one pack after the other; as large as the largest one. */
  #bytes = new Uint8Array(0);
  #used = 0;
  #lengths: number[] = [];

  /** Copies one, unless it is large and has a buffer of its own: that is handed over. */
  add(data: Uint8Array): void {
    const { byteLength } = data;
    if (this.#used + byteLength > PACK_BYTES) this.#finish();
    if (byteLength > PACK_BYTES) {
      const ownsBuffer = byteLength === data.buffer.byteLength;
      this.#finished.push(packOf(ownsBuffer ? data : new Uint8Array(data)));
      return;
    }
    this.#reserve(this.#used + byteLength);
    this.#bytes.set(data, this.#used);
    this.#used += byteLength;
    this.#lengths.push(byteLength);
  }

  #reserve(bytes: number): void {
    const room = this.#bytes.byteLength;
    if (bytes <= room) return;
    const larger = new Uint8Array(Math.max(bytes, Math.min(room * 2, PACK_BYTES)));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }

  #finish(): void {
    if (this.#lengths.length === 0) return;
    // with a buffer of its own, which is handed over whole
    this.#finished.push({ bytes: this.#bytes.slice(0, this.#used), lengths: Int32Array.from(this.#lengths) });
    this.#used = 0;
    this.#lengths = [];
  }

  end(): PackedBytes {
    this.#finish();
    return this.#finished;
  }
}

/** The arena as this side sees it. */
import { sizeOfSlab } from '../../protocol/slabs.ts';

export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly cells: Int32Array;
  readonly doubles: Float64Array;
  readonly text: Buffer;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.cells = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.text = Buffer.from(buffer);
  }

  cell(index: number): number {
    return this.cells[index] ?? 0;
  }

  sizeOf(slab: number): number {
    return sizeOfSlab(slab, this.buffer.byteLength);
  }
}

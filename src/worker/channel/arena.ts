/** The arena as this side sees it. */
import { type ArenaLayout, layOutArena } from '../../protocol/slabs.ts';

export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly cells: Int32Array;
  readonly doubles: Float64Array;
  readonly text: Buffer;
  readonly layout: ArenaLayout;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.cells = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.text = Buffer.from(buffer);
    this.layout = layOutArena(buffer.byteLength);
  }

  cell(index: number): number {
    return this.cells[index] ?? 0;
  }

  startOf(slab: number): number {
    return this.layout.starts[slab] ?? 0;
  }

  sizeOf(slab: number): number {
    return this.layout.sizes[slab] ?? 0;
  }
}

/** The arena as both sides see it. */
import { Buffer } from './surroundings.ts';

export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly cells: Int32Array;
  readonly doubles: Float64Array;
  /** Its bytes, as text or as they are. */
  readonly bytes: Buffer;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.cells = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.bytes = Buffer.from(buffer);
  }

  cell(index: number): number {
    return this.cells[index] ?? 0;
  }
}

/** Patches of one statement, copied from where they lie into the arrays that the statement takes. */
import { ARRAY_HEADER, BYTEA, int8Array, textArray, writeArrayHeader } from './arrays.ts';

const FIRST_BYTES = 16 * 1024;

export class PackedPatches {
  /** Positions of patches that are kept beside another one of the same number. */
  readonly keepers = new Set<number>();
  /** Of each patch: its store as it is stored, its number, and by which it is told apart from the others of its transaction. */
  readonly stores: string[] = [];
  readonly clocks: number[] = [];
  readonly #entries: number[] = [];
  /** Where the bytes of each end; its length lies between those of the one before and its own. */
  readonly #ends: number[] = [];
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #used = ARRAY_HEADER;
  readonly #highest = new Map<string, number>();
  /** Whether all numbers came in ascending order, so that none can be there twice. */
  ascends = true;

  get count(): number {
    return this.clocks.length;
  }

  get isOfOneStore(): boolean {
    return this.#highest.size === 1;
  }

  add(store: string, clock: number, data: Uint8Array, entry: number, keepBoth: boolean): void {
    if (keepBoth) this.keepers.add(this.count);
    const highest = this.#highest.get(store);
    if (highest === undefined || clock > highest) this.#highest.set(store, clock);
    else this.ascends = false;
    const length = data.byteLength;
    this.#makeRoom(4 + length);
    const start = this.#bytes.writeInt32BE(length, this.#used);
    this.#bytes.set(data, start);
    this.stores.push(store);
    this.clocks.push(clock);
    this.#entries.push(entry);
    this.#used = start + length;
    this.#ends.push(this.#used);
  }

  addFrom(others: PackedPatches, position: number): void {
    const clock = others.clocks[position] ?? 0;
    const [entry = 0] = others.entriesAt([position]);
    this.add(others.storeAt(position), clock, others.bytesOf(position), entry, others.keepers.has(position));
  }

  #makeRoom(length: number): void {
    const needed = this.#used + length;
    if (needed <= this.#bytes.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.byteLength * 2));
    this.#bytes.copy(larger, 0, 0, this.#used);
    this.#bytes = larger;
  }

  bytesOf(position: number): Buffer {
    return this.#bytes.subarray((this.#ends[position - 1] ?? ARRAY_HEADER) + 4, this.#ends[position]);
  }

  storeAt(position: number): string {
    return this.stores[position] ?? '';
  }

  entriesAt(positions: readonly number[]): number[] {
    return positions.map((position) => this.#entries[position] ?? 0);
  }

  /** The parameters of a statement about them: `$1` (their store, or a list of them), numbers, bytes. */
  get parameters(): (string | Buffer)[] {
    writeArrayHeader(this.#bytes, this.count, BYTEA);
    const stores = this.isOfOneStore ? this.storeAt(0) : textArray(this.stores);
    return [stores, int8Array(this.clocks), this.#bytes.subarray(0, this.#used)];
  }
}

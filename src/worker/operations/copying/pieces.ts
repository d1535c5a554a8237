/** What is read or copied together: as much as fits, or one that does not. */

/** The bytes that are read together, or one row. */
export const BYTES_A_READ = 4 * 1024 * 1024;

export function* piecesOf<T>(all: Iterable<T>, sizeOf: (one: T) => number, most = BYTES_A_READ): Generator<T[]> {
  let piece: T[] = [];
  let sum = 0;
  for (const one of all) {
    const size = sizeOf(one);
    if (piece.length > 0 && sum + size > most) {
      yield piece;
      [piece, sum] = [[], 0];
    }
    piece.push(one);
    sum += size;
  }
  if (piece.length > 0) yield piece;
}

/** Rows that are read together, by their bytes: as many as fit into memory, or a large one. */

/** The bytes that are read together, or one row. */
export const BYTES_A_READ = 4 * 1024 * 1024;

export function* piecesOf<T>(rows: readonly T[], bytesOf: (row: T) => number): Generator<T[]> {
  let piece: T[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = bytesOf(row);
    if (piece.length > 0 && bytes + size > BYTES_A_READ) {
      yield piece;
      [piece, bytes] = [[], 0];
    }
    piece.push(row);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}

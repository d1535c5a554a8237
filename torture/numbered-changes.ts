/** Changes of documents that are numbers, however they are kept. */
import * as Y from 'yjs';

/** With what a failure is not tried again at any cost: no time helps. */
export const LASTING = ['open-failed', 'schema-mismatch', 'database-corrupt'];

export function numbersIn(doc: Y.Doc): Set<number> {
  return new Set(doc.getArray<number>('all').toArray());
}

/** A change of a document of its own. */
export function updateOf(number: number): Uint8Array {
  const doc = new Y.Doc();
  doc.getArray('all').push([number]);
  return Y.encodeStateAsUpdate(doc);
}

/** Of a text that has a comma behind each. */
export function numbersOf(bytes: Uint8Array): number[] {
  return [
    ...Buffer.from(bytes)
      .toString('latin1')
      .matchAll(/\d+(?=,)/g),
  ].map(([digits]) => Number(digits));
}

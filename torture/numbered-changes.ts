/** Changes of documents that are numbers, however they are kept. */
import * as Y from 'yjs';
import type { Rows } from '../tests/support/rows.ts';
import { documentOf } from './counted-document.ts';

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

/** What lies in a database of a document; and whether a part of it waits for another one. */
export function changesIn(rows: Rows, style: string, id: string): { there: Set<number>; isWaiting: boolean } {
  const bytesOf = (found: readonly Record<string, unknown>[]) =>
    found.map(({ data }) => Buffer.from(String(data), 'hex'));
  if (style === 'yjs' || style === 'hocuspocus') {
    const doc = documentOf(id, rows);
    return { there: numbersIn(doc), isWaiting: doc.store.pendingStructs !== null };
  }
  const found =
    style === 'merged'
      ? [...rows.snapshots, ...rows.patches].filter(({ store_id }) => store_id === id)
      : rows.records.filter(({ key }) => String(key).startsWith(`${id}\x01`));
  return { there: new Set(bytesOf(found).flatMap(numbersOf)), isWaiting: false };
}

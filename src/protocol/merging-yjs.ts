/**
 * Merges updates of Yjs by applying them to a document: `Y.mergeUpdates` takes time that grows with the square of their
 * number, and keeps text that was deleted. What waits for updates that are not there yet stays part of the state.
 */
import type { MergeTask } from './merge-messages.ts';
import { applyStored, type YjsDoc, type YjsModule } from './yjs.ts';

export type Merge = (parts: Uint8Array[], against?: Uint8Array) => unknown;
export type MergeModule = { readonly [task in MergeTask]?: Merge };

export function mergingBy<Doc extends YjsDoc>(
  Y: YjsModule<Doc>,
  gc: boolean,
): { readonly [task in MergeTask]: (...given: Parameters<Merge>) => Uint8Array } {
  const withDocument = (parts: Uint8Array[], read: (doc: Doc) => Uint8Array) => {
    const doc = new Y.Doc({ gc });
    try {
      doc.transact(() => {
        for (const part of parts) applyStored(Y, doc, part);
      });
      return read(doc);
    } finally {
      doc.destroy();
    }
  };
  return {
    merge: (parts) => withDocument(parts, (doc) => Y.encodeStateAsUpdate(doc)),
    stateVector: (parts) => withDocument(parts, (doc) => Y.encodeStateVector(doc as never)),
    diff: (parts, against) => withDocument(parts, (doc) => Y.encodeStateAsUpdate(doc, against)),
  };
}

/** A document as its store has it: the last snapshot and the patches after it. */
import type { SDS_PersistenceProvider } from 'sds-persistence-worker';
import * as Y from 'yjs';

const CLOCK_BYTES = 8;

export interface StoredDocument {
  doc: Y.Doc;
  /** Number of the last patch. */
  clock: number;
  /** How many patches were read. */
  patches: number;
}

export async function loadDocument(provider: SDS_PersistenceProvider): Promise<StoredDocument> {
  const snapshot = await provider.loadSnapshot();
  const { clock, state } = snapshot === undefined ? { clock: 0, state: undefined } : unpackSnapshot(snapshot);
  const patches = await provider.loadPatchesSince(clock);
  // a number may be missing, of a patch that was rejected: count on until there is nothing above
  let last = clock;
  for (let above = patches; above.length > 0; above = await provider.loadPatchesSince(last)) last += above.length;
  const doc = new Y.Doc();
  doc.transact(() => {
    if (state !== undefined) Y.applyUpdate(doc, state);
    for (const patch of patches) Y.applyUpdate(doc, patch);
  });
  return { doc, clock: last, patches: patches.length };
}

/** Saves the document with all patches up to `clock` in it; then they are not needed any more. */
export async function saveDocument(provider: SDS_PersistenceProvider, doc: Y.Doc, clock: number): Promise<void> {
  await provider.saveSnapshot(packSnapshot(clock, Y.encodeStateAsUpdate(doc)), clock);
  // only now: a snapshot can fail, and then the patches are all there is
  await provider.prunePatches(clock + 1);
}

// the provider does not tell a snapshot's number, and patches go on from it
function packSnapshot(clock: number, state: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(CLOCK_BYTES + state.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(clock));
  bytes.set(state, CLOCK_BYTES);
  return bytes;
}

function unpackSnapshot(bytes: Uint8Array): { clock: number; state: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { clock: Number(view.getBigUint64(0)), state: bytes.subarray(CLOCK_BYTES) };
}

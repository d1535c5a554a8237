/** A document of Yjs whose whole content follows from the number of changes made to it: anyone can tell whether it is in one of its states. */
import * as Y from 'yjs';

/** Beyond it, the beginning of the text is deleted. */
const LONGEST_TEXT = 1000;
/** Each so many changes there is a large value, which replaces the one before. */
const LARGE_EACH = 101;

/** Makes the next change, as one update. Returns how many there are. */
export function change(doc: Y.Doc): number {
  const state = doc.getMap('state');
  const text = doc.getText('text');
  const before = countOf(doc);
  const { deletes, at, inserts, large } = editOf(before, text.length);
  doc.transact(() => {
    state.set('changes', before + 1);
    doc.getArray('numbers').push([before]);
    if (deletes > 0) text.delete(0, deletes);
    text.insert(at, inserts);
    if (large !== undefined) state.set('large', large);
  });
  return before + 1;
}

/** How many changes were made, if it is in one of its states. */
export function countOf(doc: Y.Doc): number {
  return (doc.getMap('state').get('changes') as number | undefined) ?? 0;
}

/** How many changes have led to this state; `undefined` if no number of them does. */
export function changesIn(doc: Y.Doc): number | undefined {
  const state = doc.getMap('state');
  const changes = countOf(doc);
  const numbers = doc.getArray('numbers').toArray();
  const { text, large } = contentAfter(changes);
  const isThat =
    numbers.length === changes &&
    numbers.every((number, index) => number === index) &&
    doc.getText('text').toString() === text &&
    state.get('large') === large;
  return isThat ? changes : undefined;
}

/** How many changes are there without a gap, whatever of later ones is there, too. */
export function leastIn(doc: Y.Doc): number {
  const numbers = doc.getArray('numbers').toArray();
  const gap = numbers.findIndex((number, index) => number !== index);
  return gap < 0 ? numbers.length : gap;
}

function editOf(before: number, length: number) {
  const deletes = length > LONGEST_TEXT ? LONGEST_TEXT / 2 : 0;
  return {
    deletes,
    at: (before * 7919) % (length - deletes + 1),
    inserts: `${before} `,
    large: before % LARGE_EACH === 0 ? `${before},`.repeat(3000) : undefined,
  };
}

function contentAfter(changes: number): { text: string; large: string | undefined } {
  let text = '';
  let last: string | undefined;
  for (let before = 0; before < changes; before++) {
    const { deletes, at, inserts, large } = editOf(before, text.length);
    text = text.slice(deletes);
    text = text.slice(0, at) + inserts + text.slice(at);
    last = large ?? last;
  }
  return { text, large: last };
}

/** What the rows of a store lead to, whatever wrote them. Updates that are none are passed over. */
export function documentOf(store: string, rows: { snapshots: Row[]; patches: Row[] }): Y.Doc {
  const doc = new Y.Doc();
  for (const { store_id, data } of [...rows.snapshots, ...rows.patches]) {
    if (store_id !== store) continue;
    try {
      Y.applyUpdate(doc, Buffer.from(String(data), 'hex'));
    } catch {
      // whoever stored it knows; what is missing shows
    }
  }
  return doc;
}

type Row = Record<string, unknown>;

/** Updates of Yjs as two people make them who type into one text. */
import type * as Yjs from 'yjs';

const WORDS = 'the quick brown fox jumps over a lazy dog while nobody looks and then some more of it is written'.split(
  ' ',
);
/** One key of so many takes back what was typed last. */
const TAKEN_BACK = 12;

/** The same numbers each time, from 0 on and below `end`. */
function numbers(): (end: number) => number {
  let state = 1;
  return (end) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
}

/** An update a key. Each writes some words at a place, then the other one at another. */
export function typing(Y: typeof Yjs, count: number): Uint8Array[] {
  const updates: Uint8Array[] = [];
  const below = numbers();
  const authors = [new Y.Doc(), new Y.Doc()];
  for (const [index, author] of authors.entries()) {
    author.clientID = index + 1;
    author.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === 'other') return;
      updates.push(update);
      Y.applyUpdate(authors[1 - index] as Yjs.Doc, update, 'other'); // there are two
    });
  }
  for (let turn = 0; updates.length < count; turn++) {
    const text = (authors[turn % 2] as Yjs.Doc).getText('text');
    let at = below(4) === 0 ? below(text.length + 1) : text.length;
    for (let word = 0; word < 8; word++) {
      for (const key of `${WORDS[below(WORDS.length)]} `) {
        if (updates.length === count) break;
        if (at > 0 && below(TAKEN_BACK) === 0) text.delete(--at, 1);
        else text.insert(at++, key);
      }
    }
  }
  return updates;
}

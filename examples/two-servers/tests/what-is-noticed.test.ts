/** The comparison at the end of the example notices whatever is not as the editors have it. */
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { type Copy, compare, numbersAstray } from '../compare.ts';
import type { Result } from '../play.ts';
import { isAsItHasToBe, tableOf } from '../table.ts';

/** Two editors that see each other's edits at once, and what they sent, in the order in which it was stored. */
function twoEditors() {
  const patches: Uint8Array[] = [];
  const docs = [new Y.Doc(), new Y.Doc()];
  const copies = docs.map((doc) => ({ doc, acknowledged: [] as Uint8Array[] }));
  for (const { doc, acknowledged } of copies) {
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === 'other') return;
      patches.push(update);
      acknowledged.push(update);
      for (const other of docs) if (other !== doc) Y.applyUpdate(other, update, 'other');
    });
  }
  for (let round = 0; round < 20; round++) {
    for (const [index, doc] of docs.entries()) {
      const text = doc.getText('document');
      if (round % 5 === 4) text.delete(index, 1);
      else text.insert(index * text.length, `${index}.${round} `);
    }
  }
  return {
    patches,
    copies: (): Copy[] => copies.map(({ doc, acknowledged }) => ({ state: Y.encodeStateAsUpdate(doc), acknowledged })),
  };
}

function stored(patches: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const patch of patches) Y.applyUpdate(doc, patch);
  return doc;
}

describe('what is in the database, beside what the editors have', () => {
  const { patches, copies } = twoEditors();

  it('is the same if every patch is there', () => {
    expect(compare(stored(patches), copies())).toEqual({ lost: 0, same: true });
  });

  it('is the same if an edit was stored twice, since it was sent again', () => {
    expect(compare(stored([...patches.slice(0, 30), ...patches.slice(25)]), copies())).toEqual({ lost: 0, same: true });
  });

  it.each(patches.map((_, index) => index))('is not the same without patch %i, and one edit is lost', (index) => {
    expect(compare(stored(patches.toSpliced(index, 1)), copies())).toEqual({ lost: 1, same: false });
  });

  it('lacks each of the edits that are gone in a row', () => {
    expect(compare(stored(patches.slice(0, 13)), copies())).toEqual({ lost: patches.length - 13, same: false });
    expect(compare(stored(patches.slice(7)), copies())).toEqual({ lost: 7, same: false });
    expect(compare(new Y.Doc(), copies())).toEqual({ lost: patches.length, same: false });
  });

  it('is not the same with a patch more, which no editor has', () => {
    const stranger = stored(patches);
    stranger.getText('document').insert(0, 'late');
    expect(compare(stranger, copies())).toEqual({ lost: 0, same: false });
  });

  it('is not the same if one letter of one patch is another', () => {
    const patch = patches[0]?.slice() as Uint8Array;
    patch[patch.lastIndexOf('0'.charCodeAt(0))] = 'X'.charCodeAt(0);
    expect(compare(stored([patch, ...patches.slice(1)]), copies()).same).toBe(false);
  });

  it('is not the same if only one of the editors has something else', () => {
    const [first, second] = copies();
    if (first === undefined || second === undefined) throw new Error('there are two');
    const strange = { ...second, state: Y.encodeStateAsUpdate(stored(patches.slice(1))) };
    expect(compare(stored(patches), [first, strange])).toEqual({ lost: 0, same: false });
  });
});

describe('the numbers of patches, server by server', () => {
  it.each<[string, number, [number, number | undefined][], number]>([
    [
      'one after the other',
      0,
      [
        [0, 5],
        [5, 9],
      ],
      9,
    ],
    [
      'back and forth, in whatever order they are told',
      0,
      [
        [5, 9],
        [0, 5],
        [9, 12],
        [5, 5],
      ],
      12,
    ],
    [
      'opened only',
      0,
      [
        [0, 3],
        [3, undefined],
      ],
      3,
    ],
    [
      'one late write, under a number that the other server gives as well',
      1,
      [
        [0, 6],
        [5, 9],
      ],
      9,
    ],
    [
      'late writes above those of the other server',
      7,
      [
        [0, 12],
        [5, 5],
      ],
      5,
    ],
    [
      'a patch in the database that nobody knows of',
      1,
      [
        [0, 5],
        [5, 9],
      ],
      10,
    ],
    [
      'a patch that is in no database',
      2,
      [
        [0, 5],
        [5, 9],
      ],
      7,
    ],
  ])('%s: %i astray', (_, expected, stays, last) => {
    expect(
      numbersAstray(
        stays.map(([found, left]) => ({ found, left })),
        last,
      ),
    ).toBe(expected);
  });
});

describe('the verdict', () => {
  const good: Result = {
    documents: 8,
    movedDocuments: 5,
    editors: 16,
    typed: 100,
    acknowledged: 100,
    typedAlone: 10,
    sentAgain: 5,
    lost: 0,
    different: 0,
    firstServedMs: 2000,
    lastServedMs: 2100,
    late: undefined,
  };
  const late = { refused: new Map([['fenced', 3]]), stored: 0 };

  it('is good if all is as it has to be', () => {
    expect(isAsItHasToBe(good)).toBe(true);
    expect(isAsItHasToBe({ ...good, late })).toBe(true);
  });

  it.each<[string, Partial<Result>]>([
    ['an edit was lost', { lost: 1 }],
    ['a document differs', { different: 1 }],
    ['an edit was never acknowledged', { acknowledged: 99 }],
    ['a late write is in the database', { late: { ...late, stored: 1 } }],
    ['a late write was refused for another reason only', { late: { ...late, refused: new Map([['io-error', 3]]) } }],
    ['no late write was refused', { late: { ...late, refused: new Map() } }],
  ])('is bad if %s', (_, change) => {
    expect(isAsItHasToBe({ ...good, ...change })).toBe(false);
  });

  it('stands under a table with a line for each figure', () => {
    expect(tableOf({ ...good, late }).split('\n')).toEqual([
      'documents, of them moved                            8, 5',
      'editors                                               16',
      'edits                                                100',
      'acknowledged as durable                              100',
      'typed while no server had the document                10',
      'sent again to the other server                         5',
      'lost                                                   0',
      'documents that differ from the database                0',
      'first document served by the other server after   2.00 s',
      'last one after                                    2.10 s',
      'late writes refused (fenced)                           3',
      'late writes in the database                            0',
    ]);
  });
});

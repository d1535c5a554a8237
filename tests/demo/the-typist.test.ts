/** The made-up session: the same for the same seed, what it says it is, and with all that a person does. */
import { expect, test } from 'vitest';
import { bytesOf, expectedBinaries, hashOf } from '../../demo/binaries.ts';
import { applyEdit } from '../../demo/session.ts';
import { typeSession } from '../../demo/typist.ts';

test('the same seed gives the same session, another seed another', () => {
  expect(typeSession(5, 3000)).toEqual(typeSession(5, 3000));
  expect(typeSession(6, 3000).text).not.toBe(typeSession(5, 3000).text);
});

test.for([1, 2, 20, 5000])('a session of %i edits has so many, and they lead to its text', (edits) => {
  const { transactions, text } = typeSession(1, edits);
  expect(transactions).toHaveLength(edits);
  let typed = '';
  for (const edit of transactions.flatMap((transaction) => transaction.edits)) {
    expect(edit[0] + edit[1]).toBeLessThanOrEqual(typed.length);
    typed = applyEdit(typed, edit);
  }
  expect(typed).toBe(text);
});

test('the document grows to some megabytes by pictures, and large values come beside it', () => {
  const { title, transactions } = typeSession(1, 20_000);
  const pictures = transactions.flatMap(({ picture }) => picture ?? []);
  const values = transactions.flatMap(({ value }) => value ?? []);
  const bytes = (binaries: typeof pictures) => binaries.reduce((sum, binary) => sum + binary.bytes, 0);
  expect(bytes(pictures)).toBeGreaterThan(2 ** 22);
  expect(bytes(values)).toBeGreaterThan(2 ** 22);
  expect(title).toContain(`${pictures.length} pictures and ${values.length} large values`);
  // no two are the same, and each is the same again
  const hashes = [...pictures, ...values].map((binary) => hashOf(bytesOf(binary)));
  expect(new Set(hashes).size).toBe(hashes.length);
  expect(expectedBinaries({ title, transactions, text: '' })).toEqual({
    pictures: hashes.slice(0, pictures.length),
    values: hashes.slice(pictures.length),
  });
});

test('it types, corrects, jumps, retypes, pastes, deletes and hesitates', () => {
  const { transactions } = typeSession(1, 20_000);
  let keys = 0;
  let backspaces = 0;
  let jumps = 0;
  let retyped = 0;
  let pastes = 0;
  let deletions = 0;
  let cursor = 0;
  for (const [position, deleted, inserted] of transactions.flatMap(({ edits }) => edits)) {
    if (position !== cursor && position + deleted !== cursor) jumps++;
    cursor = position + inserted.length;
    if (deleted > 0 && inserted.length > 0) retyped++;
    else if (inserted.length > 1) pastes++;
    else if (inserted.length === 1) keys++;
    else if (deleted === 1) backspaces++;
    else deletions++;
  }
  expect(keys).toBeGreaterThan(10_000);
  expect(backspaces).toBeGreaterThan(200);
  for (const some of [jumps, retyped, pastes, deletions]) expect(some).toBeGreaterThan(5);
  const pauses = transactions.map(({ pause }) => pause);
  expect(Math.max(...pauses)).toBeGreaterThan(20 * Math.min(...pauses));
});
